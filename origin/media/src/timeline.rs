//! The one owner of timestamps.
