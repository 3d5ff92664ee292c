//! codec/h264
