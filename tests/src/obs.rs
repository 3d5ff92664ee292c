//! OBS Studio 29 without a screen.
