//! Addresses to listen on, as people write them.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    str::FromStr,
};

use serde::{Deserialize, Serialize};

/// `127.0.0.1:8080`, `[::1]:8080`, or `:8080` for every address of this machine, IPv6 and IPv4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ListenAddr {
    /// `None`: all.
    ip: Option<IpAddr>,
    port: u16,
}

/// The text is no address to listen on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an address to listen on: write :8080, 127.0.0.1:8080 or [::1]:8080")]
pub struct InvalidAddr(String);

impl ListenAddr {
    /// Every address of this machine.
    #[must_use]
    pub const fn any(port: u16) -> Self {
        Self { ip: None, port }
    }

    /// What to hand to the system. For `:8080` that is `[::]:8080`, which takes IPv4 as well, or `0.0.0.0:8080` on a
    /// machine without IPv6.
    #[must_use]
    pub fn to_socket_addr(self) -> SocketAddr {
        let ip = self.ip.unwrap_or_else(|| {
            let has_ipv6 = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).is_ok();
            if has_ipv6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() }
        });
        SocketAddr::new(ip, self.port)
    }
}

impl FromStr for ListenAddr {
    type Err = InvalidAddr;

    fn from_str(text: &str) -> Result<Self, InvalidAddr> {
        let invalid = || InvalidAddr(text.to_owned());
        if let Some(port) =
            text.strip_prefix(':').or_else(|| text.bytes().all(|byte| byte.is_ascii_digit()).then_some(text))
        {
            return Ok(Self::any(port.parse().map_err(|_| invalid())?));
        }
        let addr: SocketAddr = text.parse().map_err(|_| invalid())?;
        Ok(Self { ip: Some(addr.ip()), port: addr.port() })
    }
}

impl TryFrom<String> for ListenAddr {
    type Error = InvalidAddr;

    fn try_from(text: String) -> Result<Self, InvalidAddr> {
        text.parse()
    }
}

impl From<ListenAddr> for String {
    fn from(addr: ListenAddr) -> Self {
        addr.to_string()
    }
}

impl fmt::Display for ListenAddr {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ip {
            None => write!(formatter, ":{}", self.port),
            Some(ip) => write!(formatter, "{}", SocketAddr::new(ip, self.port)),
        }
    }
}
