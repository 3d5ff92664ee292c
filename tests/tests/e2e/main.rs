//! End-to-end tests: the real server, real publishers, real players. Run them with `cargo xtask test [NAME]`.

mod page;
mod rtmp;
