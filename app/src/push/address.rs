//! What an SRT URL says.

use std::{fmt, time::Duration};

use srt_protocol::options::{KeySize, Passphrase};

/// Shortest passphrase that SRT takes, characters.
const MIN_PASSPHRASE: usize = 10;
/// Longest, characters.
const MAX_PASSPHRASE: usize = 79;
/// Longest stream id, bytes.
const MAX_STREAM_ID: usize = 512;
/// Longest latency that can be asked for.
const MAX_LATENCY: Duration = Duration::from_secs(8);

/// Where to send, and as who. `Debug` shows neither stream id nor passphrase.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// Name or number of the machine, without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) stream_id: Option<String>,
    pub(super) passphrase: Option<Passphrase>,
    pub(super) key_size: KeySize,
    /// At least this.
    pub(super) latency: Option<Duration>,
}

impl fmt::Debug for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "srt://{self}?…")
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(formatter, "[{}]:{}", self.host, self.port)
        } else {
            write!(formatter, "{}:{}", self.host, self.port)
        }
    }
}

impl Address {
    /// Reads a URL. Not by the `url` crate: stream ids begin with `#!::`, and are written so.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let rest = text.strip_prefix("srt://").ok_or("it does not begin with srt://")?;
        let (authority, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (host, port) = authority.trim_end_matches('/').rsplit_once(':').ok_or("it has no port")?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if host.is_empty() || host.contains(['/', '@', ' ']) {
            return Err("it has no host");
        }
        let port = port.parse().ok().filter(|port| *port != 0).ok_or("its port is not a number from 1 to 65535")?;
        let mut address = Self {
            host: host.to_owned(),
            port,
            stream_id: None,
            passphrase: None,
            key_size: KeySize::Unspecified,
            latency: None,
        };
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            address.set(name, value)?;
        }
        if address.passphrase.is_some() && address.key_size == KeySize::Unspecified {
            address.key_size = KeySize::AES128;
        }
        Ok(address)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), &'static str> {
        match name {
            "streamid" => {
                let id = decoded(value).ok_or("its stream id is not text")?;
                self.stream_id = Some(id).filter(|id| id.len() <= MAX_STREAM_ID);
                self.stream_id.as_ref().map(drop).ok_or("its stream id is longer than 512 bytes")
            }
            "passphrase" => {
                let words = decoded(value).ok_or("its passphrase is not text")?;
                if !(MIN_PASSPHRASE..=MAX_PASSPHRASE).contains(&words.len()) {
                    return Err("its passphrase does not have 10 to 79 characters");
                }
                self.passphrase = Passphrase::try_from(words).ok();
                Ok(())
            }
            "pbkeylen" => {
                let size = value.parse::<u16>().ok().and_then(|size| KeySize::try_from(size).ok());
                self.key_size = size.ok_or("its pbkeylen is not 16, 24 or 32")?;
                Ok(())
            }
            "latency" => {
                let latency_ms = value.parse().map_err(|_| "its latency is no number of milliseconds")?;
                self.latency = Some(Duration::from_millis(latency_ms).min(MAX_LATENCY));
                Ok(())
            }
            // What else callers are told, such as pkt_size or mode, is settled here.
            _ => Ok(()),
        }
    }
}

/// Percent-encoding undone.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = match tail {
            [high, low, ..] if *first == b'%' => {
                std::str::from_utf8(&[*high, *low]).ok().and_then(|code| u8::from_str_radix(code, 16).ok())
            }
            _ => None,
        };
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origins_url_is_read_as_it_is_written() {
        let address = Address::parse("srt://live.example:10080?streamid=#!::r=live/sky_live_a,m=publish").unwrap();
        assert_eq!((address.host.as_str(), address.port), ("live.example", 10080));
        assert_eq!(address.stream_id.as_deref(), Some("#!::r=live/sky_live_a,m=publish"));
        assert_eq!((address.passphrase, address.latency), (None, None));
        let url = "srt://[::1]:9?streamid=%23!::r=a&passphrase=open%20sesame&pbkeylen=32&latency=300&mode=caller";
        let address = Address::parse(url).unwrap();
        assert_eq!((address.host.as_str(), address.to_string().as_str()), ("::1", "[::1]:9"));
        assert_eq!(address.stream_id.as_deref(), Some("#!::r=a"));
        assert_eq!(address.passphrase, Passphrase::try_from("open sesame".to_owned()).ok());
        assert_eq!((address.key_size, address.latency), (KeySize::AES256, Some(Duration::from_millis(300))));
    }

    #[test]
    fn what_cannot_be_used_is_said_without_its_secrets() {
        for (bad, reason) in [
            ("http://a:1", "it does not begin with srt://"),
            ("srt://a", "it has no port"),
            ("srt://:1", "it has no host"),
            ("srt://a:0", "its port is not a number from 1 to 65535"),
            ("srt://a:1?passphrase=short", "its passphrase does not have 10 to 79 characters"),
            ("srt://a:1?pbkeylen=17", "its pbkeylen is not 16, 24 or 32"),
        ] {
            assert_eq!(Address::parse(bad), Err(reason), "{bad}");
        }
        let address = Address::parse("srt://a:1?streamid=sky_live_secret&passphrase=open-sesame-open").unwrap();
        let shown = format!("{address:?} {address}");
        assert!(!shown.contains("secret") && !shown.contains("sesame"), "{shown}");
    }
}
