//! codec/aac
