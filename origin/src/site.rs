//! The viewer site, embedded in the binary.

/// A file of the site.
#[derive(Debug)]
pub struct Asset {
    /// `Content-Type`
    pub content_type: &'static str,
    /// Its bytes.
    pub bytes: &'static [u8],
    /// The same, compressed with brotli, where that is smaller.
    pub brotli: Option<&'static [u8]>,
    /// The same, compressed with gzip, where that is smaller.
    pub gzip: Option<&'static [u8]>,
}

/// The file at `path`, such as `index.html` or `assets/app-1a2b3c.js`.
#[must_use]
pub fn get(_path: &str) -> Option<&'static Asset> {
    None
}
