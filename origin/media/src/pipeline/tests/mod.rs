//! What viewers and publishers would notice of a pipeline.

mod cadence;
mod changes;
mod random;
mod show;
