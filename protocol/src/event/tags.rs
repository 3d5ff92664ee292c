//! Looking into tags. Nothing is asked of those that are not looked for.

use std::str::FromStr;

/// The tags of one event.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tags<'a>(pub(crate) &'a [Vec<String>]);

impl<'a> Tags<'a> {
    /// What follows the name in every tag with this name, empty strings included.
    pub(crate) fn all(self, name: &'a str) -> impl Iterator<Item = &'a [String]> {
        self.0.iter().filter_map(move |tag| tag.split_first().filter(|(first, _)| *first == name)).map(|(_, rest)| rest)
    }

    /// The first value of every tag with this name that has one.
    pub(crate) fn values(self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.all(name).filter_map(|rest| rest.first()).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// The first value that there is under this name.
    pub(crate) fn value(self, name: &'a str) -> Option<&'a str> {
        self.values(name).next()
    }

    /// The first value under this name that can be parsed.
    pub(crate) fn parsed<T: FromStr>(self, name: &'a str) -> Option<T> {
        self.values(name).find_map(|value| value.parse().ok())
    }

    /// Every value of every tag with this name, also those that were joined by commas.
    pub(crate) fn listed(self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.all(name).flatten().flat_map(|value| value.split(',')).map(str::trim).filter(|value| !value.is_empty())
    }
}

/// A tag with these elements.
pub(crate) fn tag<const N: usize>(elements: [&str; N]) -> Vec<String> {
    elements.map(str::to_owned).to_vec()
}
