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

/// Path → file, sorted by path; the build script wrote it.
static FILES: &[(&str, Asset)] = include!(concat!(env!("OUT_DIR"), "/site.rs"));

/// The file at `path`, such as `index.html` or `assets/viewer.1a2b3c4d5e.js`.
#[must_use]
pub fn get(path: &str) -> Option<&'static Asset> {
    let index = FILES.binary_search_by_key(&path, |(name, _)| name).ok()?;
    FILES.get(index).map(|(_, asset)| asset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_found_under_its_name_and_nothing_else_is() {
        assert!(FILES.is_sorted_by_key(|(name, _)| name));
        for (name, asset) in FILES {
            assert!(std::ptr::eq(get(name).unwrap(), asset), "{name}");
            assert!(asset.brotli.is_none_or(|packed| packed.len() < asset.bytes.len()), "{name}");
        }
        assert_eq!(get("index.html").unwrap().content_type, "text/html; charset=utf-8");
        for absent in ["", "index.htm", "../Cargo.toml", ".stamp"] {
            assert!(get(absent).is_none(), "{absent}");
        }
    }

    #[test]
    fn whatever_the_page_loads_is_embedded() {
        let page = std::str::from_utf8(get("index.html").unwrap().bytes).unwrap();
        for reference in page.split("\"/assets/").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(get(&format!("assets/{reference}")).is_some(), "{reference}");
        }
    }
}
