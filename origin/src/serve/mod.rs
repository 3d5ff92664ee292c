//! HTTP: low-latency HLS for players, the API, the viewer site.
//!
//! Handlers are thin: everything a viewer can be given is rendered or stored once, by [`crate::live`], and shared.
//!
//! | module | what |
//! |---|---|
//! | `listener` | the port: connections, TLS, time-outs, a graceful end |
//! | `http1` | HTTP/1.1 for viewers; hyper does HTTP/2, bodies, and everything under TLS |
//! | `hot` | parts that many ask for at once, sent without copying |
//! | `service` | one request → one response |
//! | `hls` | `/live/…`: playlists (held until they have what is asked for), parts, segments, init segments |
//! | `path` | what a media URL names |
//! | `answer`, `body` | conditions, ranges, caching (RFC 9110, 9111); the bytes |
//! | `api` | `/api/v1/…`, `/healthz`, `/readyz`, `/metrics` |
//! | `site`, `preview` | `/`, `/s/{id}`, `/e/{naddr}`, `/embed/{id}`, `/assets/…`; what other sites show of a link |
//! | `patience`, `stall`, `requests` | time limits: of every wait, of viewers who stop reading, of requests that hyper serves |
//! | `peer` | from which address a request comes |
//! | `tls` | certificates and their renewal |
//! | `counters` | what is counted for `/metrics` |
//! | `date` | the `Date` header |

mod answer;
mod api;
mod body;
mod counters;
mod date;
mod hls;
mod hot;
mod http1;
mod listener;
mod path;
mod patience;
mod peer;
mod preview;
mod requests;
mod service;
mod site;
mod stall;
mod tls;

pub use api::{IngestPorts, Probe, Rooms, SiteUrl};
pub use listener::{HttpConfig, HttpError, MAX_CONNECTIONS, MAX_CONNECTIONS_PER_ADDRESS, Server};
pub use service::Service;
pub use tls::{TlsError, TlsFiles};

/// Body of the fuzz target `viewer_request`: a viewer's request, as it comes from the socket. Panics when an
/// invariant breaks.
#[doc(hidden)]
pub fn fuzz_viewer_request(head: &[u8]) {
    http1::fuzz(head);
}
