//! The origin, as the Studio uses it.
//!
//! | module | does |
//! |---|---|
//! | `address` | where it is, as people write it |
//! | `client` | its API, with signed requests |
//! | `measure` | its version and clock, and how fast it can be sent to |
//! | `built_in`, `keeper` | the one on this machine, which the Studio starts |

mod address;
mod built_in;
mod client;
mod keeper;
mod measure;

use std::sync::Once;

pub use address::Address;
pub use built_in::BuiltIn;
pub(crate) use client::sentence;
pub use client::{ApiError, Client};
pub use measure::About;

/// TLS is done by ring, in every client of this process.
pub(crate) fn use_ring() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Somebody else in the process may have chosen already.
        _ = rustls::crypto::ring::default_provider().install_default();
    });
}
