//! CMAF packaging.
