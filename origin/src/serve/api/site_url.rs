//! Under which address this server is known.

use std::net::IpAddr;

use axum::http::{StatusCode, header, request::Parts};

use super::failure::Failure;

/// The address of the site, as far as the configuration says it.
#[derive(Debug, Clone)]
pub struct SiteUrl {
    configured: Option<String>,
    scheme: &'static str,
}

impl SiteUrl {
    /// `public_url` as configured; without it, only who is on this machine is known to mean this server.
    #[must_use]
    pub fn new(public_url: Option<&str>, is_tls: bool) -> Self {
        let configured = public_url.map(|url| url.trim_end_matches('/').to_owned());
        Self { configured, scheme: if is_tls { "https" } else { "http" } }
    }

    /// `https://live.example.org`: what URLs of this site begin with. A name that the client chose is believed only if
    /// it cannot but name this machine: otherwise what was signed for another site would be taken here.
    pub(in crate::serve) fn base(&self, parts: &Parts) -> Result<String, Failure> {
        if let Some(configured) = &self.configured {
            return Ok(configured.clone());
        }
        match authority(parts).filter(|authority| is_loopback(authority)) {
            Some(authority) => Ok(format!("{}://{authority}", self.scheme)),
            None => Err(Failure::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "no-public-url",
                "this server does not know its own address: set http.public_url in its configuration",
            )),
        }
    }

    /// The same, or else the name by which whoever asks has found this server: good enough for links in what they alone
    /// get.
    pub(super) fn as_asked(&self, parts: &Parts) -> Result<String, Failure> {
        let is_plain = |name: &&str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte));
        self.base(parts).or_else(|failure| match authority(parts).filter(is_plain) {
            Some(authority) => Ok(format!("{}://{authority}", self.scheme)),
            None => Err(failure),
        })
    }
}

/// The host and port that were asked.
fn authority(parts: &Parts) -> Option<&str> {
    let from_header = || parts.headers.get(header::HOST).and_then(|value| value.to_str().ok());
    parts.uri.authority().map(|authority| authority.as_str()).or_else(from_header)
}

/// The host in `https://host:port/path`.
pub(super) fn host(base: &str) -> &str {
    let authority = base.split_once("://").map_or(base, |(_, rest)| rest).split('/').next().unwrap_or_default();
    let without_port = authority.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    without_port.map_or(authority, |(host, _)| host)
}

fn is_loopback(authority: &str) -> bool {
    let host = host(authority);
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn base(site: &SiteUrl, host: &str) -> Option<String> {
        let (parts, ()) = Request::get("/api/v1/streams").header("host", host).body(()).unwrap().into_parts();
        site.base(&parts).ok()
    }

    #[test]
    fn only_this_machine_is_believed_by_its_name() {
        let site = SiteUrl::new(None, false);
        for host in ["localhost:8080", "127.0.0.1:8080", "[::1]:8080", "127.0.0.1"] {
            assert_eq!(base(&site, host), Some(format!("http://{host}")));
        }
        for host in ["evil.example", "localhost.evil.example", "192.168.0.5:8080", "127.0.0.1.evil.example", ""] {
            assert_eq!(base(&site, host), None, "{host}");
        }
        let site = SiteUrl::new(Some("https://live.example.org/"), false);
        assert_eq!(base(&site, "evil.example").as_deref(), Some("https://live.example.org"));
    }

    #[test]
    fn hosts_are_without_ports() {
        assert_eq!(host("https://live.example.org:8443/sky"), "live.example.org");
        assert_eq!(host("http://[::1]:8080"), "[::1]");
        assert_eq!(host("http://[::1]"), "[::1]");
        assert_eq!(host("http://localhost"), "localhost");
    }
}
