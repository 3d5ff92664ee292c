//! The viewer site.
