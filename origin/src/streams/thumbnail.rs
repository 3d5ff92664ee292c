//! Small pictures of streams, uploaded by their owners.

use std::io::Cursor;

use image::{ImageFormat, ImageReader, Limits, error::LimitErrorKind};
use sha2::{Digest as _, Sha256};
use skylark_protocol::{StreamId, event::PublicKey};

use super::{Refused, Streams};
use crate::db::Thumbnail;

/// Largest picture, bytes.
pub const MAX_BYTES: usize = skylark_protocol::api::MAX_THUMBNAIL_BYTES;
/// Longest side, pixels: a small file can unfold to a picture that no viewer's browser has room for.
const MAX_SIDE: u32 = 4096;
/// Most memory that reading one may take, bytes.
const MAX_DECODED_BYTES: u64 = 80 << 20;
/// Pictures that are read at once: each may take that much.
pub(super) const MAX_DECODERS: usize = 2;
/// Hexadecimal digits of the hash in a picture's URL.
const HASH_DIGITS: usize = 16;

impl Streams {
    /// The stream's small picture is this one from now on.
    ///
    /// # Errors
    /// When it is no picture, or not the owner's stream.
    pub async fn set_thumbnail(&self, who: &PublicKey, id: &StreamId, bytes: Vec<u8>) -> Result<(), Refused> {
        self.mine(who, id).await?;
        let turn = std::sync::Arc::clone(&self.decoders).acquire_owned().await.map_err(|_| Refused::Full)?;
        let read = move || {
            let _turn = turn;
            media_type(&bytes).map(|kind| (bytes, kind))
        };
        let (bytes, media_type) = tokio::task::spawn_blocking(read)
            .await
            .unwrap_or(Err("cannot be read"))
            .map_err(|reason| Refused::field("body", reason))?;
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

/// What a picture is, by what is in the file and never by what its sender calls it; or the end of a sentence about it.
/// All of it is read: half a picture is none.
fn media_type(bytes: &[u8]) -> Result<&'static str, &'static str> {
    const NO_PICTURE: &str = "is not a JPEG, PNG or WebP picture";
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|_| NO_PICTURE)?;
    let media_type = match reader.format() {
        Some(ImageFormat::Jpeg) => "image/jpeg",
        Some(ImageFormat::Png) => "image/png",
        Some(ImageFormat::WebP) => "image/webp",
        _ => return Err(NO_PICTURE),
    };
    let mut limits = Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(MAX_SIDE), Some(MAX_SIDE));
    limits.max_alloc = Some(MAX_DECODED_BYTES);
    reader.limits(limits);
    match reader.decode() {
        Ok(_) => Ok(media_type),
        Err(image::ImageError::Limits(limit)) if limit.kind() == LimitErrorKind::DimensionError => {
            Err("has a side of more than 4096 pixels")
        }
        Err(image::ImageError::Limits(_)) => Err("needs too much memory to be shown"),
        Err(_) => Err("is damaged"),
    }
}

#[cfg(test)]
mod tests {
    use image::{DynamicImage, ImageFormat};

    use super::*;

    fn picture(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
        let mut file = Cursor::new(Vec::new());
        DynamicImage::new_rgb8(width, height).write_to(&mut file, format).unwrap();
        file.into_inner()
    }

    #[test]
    fn pictures_are_known_by_their_content() {
        assert_eq!(media_type(&picture(8, 8, ImageFormat::Png)), Ok("image/png"));
        assert_eq!(media_type(&picture(8, 8, ImageFormat::Jpeg)), Ok("image/jpeg"));
        assert_eq!(media_type(&picture(8, 8, ImageFormat::WebP)), Ok("image/webp"));
        for other in [b"<svg onload=alert(1)>".as_slice(), b"GIF89a", b"", b"RIFF\0\0\0\0WAVE"] {
            assert!(media_type(other).is_err());
        }
    }

    #[test]
    fn what_cannot_be_shown_is_no_picture() {
        let whole = picture(64, 64, ImageFormat::Png);
        assert_eq!(media_type(&whole[..whole.len() / 2]), Err("is damaged"));
        assert_eq!(media_type(b"\x89PNG\r\n\x1a\n...."), Err("is damaged"));
        let large = picture(MAX_SIDE + 1, 1, ImageFormat::Png);
        assert_eq!(media_type(&large), Err("has a side of more than 4096 pixels"));
        assert_eq!(media_type(&picture(MAX_SIDE, MAX_SIDE, ImageFormat::Png)), Ok("image/png"));
    }
}
