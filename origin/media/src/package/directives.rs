//! Delivery directives: the `_HLS_*` query of a media playlist request (rfc8216bis §6.2.5).

/// What a player asks of a media playlist.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Directives {
    /// `_HLS_msn`: answer when the playlist has this media sequence number.
    pub msn: Option<u64>,
    /// `_HLS_part`: and this part of it.
    pub part: Option<u32>,
    /// `_HLS_skip`: a delta update will do.
    pub skip: bool,
}

/// The query makes no sense; the text goes to the player.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadDirective {
    /// `_HLS_msn` is not a number.
    #[error("_HLS_msn must be a decimal integer")]
    Msn,
    /// `_HLS_part` is not a number.
    #[error("_HLS_part must be a decimal integer")]
    Part,
    /// `_HLS_part` alone names no part.
    #[error("_HLS_part needs _HLS_msn")]
    PartWithoutMsn,
    /// `_HLS_skip` is neither of its two values.
    #[error("_HLS_skip must be YES or v2")]
    Skip,
    /// A directive stands twice in the query.
    #[error("a delivery directive is given twice")]
    Twice,
}

impl Directives {
    /// Reads a URL's query. Parameters that are not directives of ours are left alone, as the specification wants.
    ///
    /// # Errors
    /// When a directive makes no sense.
    pub fn parse(query: &str) -> Result<Self, BadDirective> {
        let mut directives = Self::default();
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let repeated = match name {
                "_HLS_msn" => directives.msn.replace(decimal(value).ok_or(BadDirective::Msn)?).is_some(),
                "_HLS_part" => directives.part.replace(decimal(value).ok_or(BadDirective::Part)?).is_some(),
                "_HLS_skip" => match value {
                    "YES" | "v2" => std::mem::replace(&mut directives.skip, true),
                    _ => return Err(BadDirective::Skip),
                },
                _ => false,
            };
            if repeated {
                return Err(BadDirective::Twice);
            }
        }
        if directives.part.is_some() && directives.msn.is_none() {
            return Err(BadDirective::PartWithoutMsn);
        }
        Ok(directives)
    }
}

/// A number in digits alone: no sign, no blank.
#[must_use]
pub fn decimal<T: std::str::FromStr>(text: &str) -> Option<T> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_are_read_and_strangers_ignored() {
        let read = Directives::parse("token=x&_HLS_msn=12&_HLS_part=3&_HLS_skip=YES&_HLS_report=").unwrap();
        assert_eq!(read, Directives { msn: Some(12), part: Some(3), skip: true });
        assert_eq!(Directives::parse("").unwrap(), Directives::default());
    }

    #[test]
    fn impossible_directives_are_named() {
        for (query, error) in [
            ("_HLS_part=1", BadDirective::PartWithoutMsn),
            ("_HLS_msn=-1", BadDirective::Msn),
            ("_HLS_msn=", BadDirective::Msn),
            ("_HLS_msn=+1", BadDirective::Msn),
            ("_HLS_msn=99999999999999999999999", BadDirective::Msn),
            ("_HLS_msn=1&_HLS_part=4294967296", BadDirective::Part),
            ("_HLS_skip=no", BadDirective::Skip),
            ("_HLS_msn=1&_HLS_msn=2", BadDirective::Twice),
        ] {
            assert_eq!(Directives::parse(query), Err(error), "{query}");
        }
    }
}
