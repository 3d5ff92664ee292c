//! What a public SRT listener needs around the protocol crate.
