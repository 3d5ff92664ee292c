//! The origin's address, as people write it.

use std::{fmt, net::IpAddr};

use skylark_protocol::studio::Problem;
use url::{Host, Url};

/// Where an origin is: scheme, host and port, nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(Url);

impl Address {
    /// Longest text that is taken for an address.
    const MAX_CHARS: usize = 300;

    /// Reads `https://live.example.org`, `live.example.org`, `http://127.0.0.1:8080`.
    ///
    /// # Errors
    /// It is no address, or what is sent there could be read on the way.
    pub fn read(text: &str) -> Result<Self, Problem> {
        let wrong = |reason: &str| {
            Problem::new(
                "no-address",
                format!("{reason} The address of an origin looks like https://live.example.org."),
            )
        };
        let text = text.trim();
        if text.is_empty() || text.len() > Self::MAX_CHARS || text.contains(char::is_whitespace) {
            return Err(wrong("That is no address."));
        }
        let is_whole = text.contains("://");
        let url = if is_whole { Url::parse(text) } else { Url::parse(&format!("https://{text}")) };
        let mut url = url.map_err(|error| wrong(&format!("That is no address: {error}.")))?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(wrong("An origin is reached by https."));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("An address has no user and no password in it."));
        }
        let Some(host) = url.host() else { return Err(wrong("That address names no host.")) };
        let is_near = is_near(&host);
        if !is_whole && is_near {
            // Nobody has a certificate for these.
            _ = url.set_scheme("http");
        }
        if url.scheme() == "http" && !is_near {
            let message = "Over http anybody on the way could read and change what you send. Use https://, or an address \
                           in your own network.";
            return Err(Problem::new("not-secure", message));
        }
        url.set_path("/");
        url.set_query(None);
        url.set_fragment(None);
        Ok(Self(url))
    }

    /// The URL of a path that begins with `/`.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{self}{path}")
    }

    /// The origin's relay: `wss://…`.
    #[must_use]
    pub fn relay_url(&self) -> String {
        format!("ws{}", &self.to_string()["http".len()..])
    }

    /// It is this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self.0.host() {
            Some(Host::Domain(name)) => is_local_name(name),
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        }
    }

    /// It is this machine, or in the same private network.
    #[must_use]
    pub fn is_near(&self) -> bool {
        self.0.host().as_ref().is_some_and(is_near)
    }
}

impl fmt::Display for Address {
    /// Without a slash at the end.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

fn is_local_name(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost")
}

fn is_near(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => is_local_name(name),
        Host::Ipv4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        Host::Ipv6(ip) => match ip.to_ipv4_mapped().map(IpAddr::V4) {
            Some(IpAddr::V4(ip)) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
            _ => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        for (text, read, relay) in [
            (" https://live.example.org/ ", "https://live.example.org", "wss://live.example.org"),
            ("live.example.org", "https://live.example.org", "wss://live.example.org"),
            (
                "https://Live.Example.org:8443/studio-web?a=b#c",
                "https://live.example.org:8443",
                "wss://live.example.org:8443",
            ),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080", "ws://127.0.0.1:8080"),
            ("192.168.1.20:8080", "http://192.168.1.20:8080", "ws://192.168.1.20:8080"),
            ("localhost:8080", "http://localhost:8080", "ws://localhost:8080"),
            ("http://[fd00::1]:8080", "http://[fd00::1]:8080", "ws://[fd00::1]:8080"),
        ] {
            let address = Address::read(text).unwrap_or_else(|problem| panic!("{text}: {problem}"));
            assert_eq!((address.to_string().as_str(), address.relay_url().as_str()), (read, relay));
            assert_eq!(Address::read(&address.to_string()), Ok(address.clone()));
            assert_eq!(address.url("/api"), format!("{read}/api"));
        }
    }

    #[test]
    fn what_could_be_read_on_the_way_is_refused() {
        for text in [
            "http://live.example.org",
            "http://93.184.216.34:8080",
            "http://[2001:db8::1]/",
            "http://localhost.example.org",
        ] {
            assert_eq!(Address::read(text).unwrap_err().code, "not-secure", "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in
            ["", "two words", "ftp://live.example.org", "https://", "https://user:pass@live.example.org", "rtmp://a/b"]
        {
            assert_eq!(Address::read(text).unwrap_err().code, "no-address", "{text}");
        }
    }
}
