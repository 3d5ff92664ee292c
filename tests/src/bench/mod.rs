//! Load for the benchmarks.

pub mod viewers;
