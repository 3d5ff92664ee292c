//! From which address a request comes.

use std::net::IpAddr;

use axum::http::request::Parts;

/// Whom a proxy speaks for.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// The other end of a request's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Peer(pub(super) IpAddr);

impl Peer {
    /// Where a request comes from, if anybody knows. A proxy on this machine says whom it speaks for; what others say
    /// of themselves is not believed.
    pub(super) fn of(parts: &Parts) -> Option<IpAddr> {
        let Self(peer) = parts.extensions.get::<Self>()?;
        let peer = peer.to_canonical();
        if !peer.is_loopback() {
            return Some(peer);
        }
        let forwarded = parts.headers.get_all(FORWARDED_FOR).iter().next_back().and_then(|value| value.to_str().ok());
        let nearest = forwarded.and_then(|list| list.rsplit(',').next()).and_then(|last| last.trim().parse().ok());
        Some(nearest.unwrap_or(peer))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    #[test]
    fn only_a_proxy_on_this_machine_is_believed() {
        let of = |peer: &str, forwarded: &str| {
            let request = Request::get("/").header(FORWARDED_FOR, forwarded).extension(Peer(peer.parse().unwrap()));
            Peer::of(&request.body(()).unwrap().into_parts().0).unwrap().to_string()
        };
        assert_eq!(of("203.0.113.5", "198.51.100.1"), "203.0.113.5");
        assert_eq!(of("127.0.0.1", "10.0.0.1, 198.51.100.1"), "198.51.100.1");
        assert_eq!(of("::1", "junk"), "::1");
        assert_eq!(of("::ffff:203.0.113.5", ""), "203.0.113.5");
    }
}
