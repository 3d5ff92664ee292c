//! Small pictures of streams, uploaded by their owners.

use sha2::{Digest as _, Sha256};
use skylark_protocol::{StreamId, event::PublicKey};

use super::{Refused, Streams};
use crate::db::Thumbnail;

/// Largest picture, bytes.
pub const MAX_BYTES: usize = 1024 * 1024;
/// Hexadecimal digits of the hash in a picture's URL.
const HASH_DIGITS: usize = 16;

impl Streams {
    /// The stream's small picture is this one from now on.
    ///
    /// # Errors
    /// When it is no picture, or not the owner's stream.
    pub async fn set_thumbnail(&self, who: &PublicKey, id: &StreamId, bytes: Vec<u8>) -> Result<(), Refused> {
        self.mine(who, id).await?;
        let media_type =
            media_type(&bytes).ok_or_else(|| Refused::field("body", "is not a JPEG, PNG or WebP picture"))?;
        let mut hash: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        hash.truncate(HASH_DIGITS);
        let thumbnail = Thumbnail { media_type: media_type.into(), hash, bytes };
        Ok(self.db.set_thumbnail(id, &thumbnail).await?)
    }

    /// A stream's small picture.
    ///
    /// # Errors
    /// When it has none.
    pub async fn thumbnail(&self, id: &StreamId) -> Result<Thumbnail, Refused> {
        self.db.thumbnail(id).await?.ok_or(Refused::NoSuchStream)
    }
}

/// By how the file begins, never by what its sender calls it.
fn media_type(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some("image/png"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_known_by_their_content() {
        assert_eq!(media_type(b"\x89PNG\r\n\x1a\n...."), Some("image/png"));
        assert_eq!(media_type(b"\xff\xd8\xff\xe0"), Some("image/jpeg"));
        assert_eq!(media_type(b"RIFF\0\0\0\0WEBPVP8 "), Some("image/webp"));
        for other in [b"<svg onload=alert(1)>".as_slice(), b"GIF89a", b"", b"RIFF\0\0\0\0WAVE"] {
            assert_eq!(media_type(other), None);
        }
    }
}
