//! The small picture of a stream, on its way from the window to the origin.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::api::MAX_THUMBNAIL_BYTES;

/// A JPEG, PNG or WebP file of at most [`MAX_THUMBNAIL_BYTES`].
#[derive(Clone, PartialEq, Eq)]
pub struct Picture(Vec<u8>);

impl Picture {
    /// None: it is empty or too large.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Option<Self> {
        (1..=MAX_THUMBNAIL_BYTES).contains(&bytes.len()).then_some(Self(bytes))
    }

    /// The file.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl fmt::Debug for Picture {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Picture({} bytes)", self.0.len())
    }
}

impl Serialize for Picture {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Picture {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let too_large = || D::Error::custom(format!("a picture has 1 to {MAX_THUMBNAIL_BYTES} bytes"));
        // Three bytes are four letters: what cannot fit is not read.
        if text.len() > MAX_THUMBNAIL_BYTES.div_ceil(3) * 4 {
            return Err(too_large());
        }
        let bytes = STANDARD.decode(text).map_err(|_| D::Error::custom("a picture is written in base64"))?;
        Self::new(bytes).ok_or_else(too_large)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_comes_through_and_one_that_is_too_large_does_not() {
        let largest = Picture::new(vec![7; MAX_THUMBNAIL_BYTES]).unwrap();
        let text = serde_json::to_string(&largest).unwrap();
        assert_eq!(serde_json::from_str::<Picture>(&text).unwrap(), largest);
        assert!(Picture::new(vec![7; MAX_THUMBNAIL_BYTES + 1]).is_none() && Picture::new(Vec::new()).is_none());
        let larger = serde_json::to_string(&STANDARD.encode(vec![7; MAX_THUMBNAIL_BYTES + 1])).unwrap();
        assert!(serde_json::from_str::<Picture>(&larger).is_err());
        assert!(serde_json::from_str::<Picture>("\"\"").is_err() && serde_json::from_str::<Picture>("\"§\"").is_err());
        assert!(!format!("{largest:?}").contains("7, 7"));
    }
}
