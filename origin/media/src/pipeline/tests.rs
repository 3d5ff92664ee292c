//! What viewers and publishers would notice of a pipeline.
