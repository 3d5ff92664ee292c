//! Who may create streams.

use std::collections::BTreeSet;

use skylark_protocol::event::PublicKey;

/// Who may create streams, besides whom the server belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allow {
    /// Anybody.
    Everybody,
    /// These.
    Only(BTreeSet<PublicKey>),
}

impl Allow {
    /// Whether `who` may because anybody may, on a server that belongs to `owner`.
    #[must_use]
    pub fn is_stranger(&self, who: &PublicKey, owner: Option<&PublicKey>) -> bool {
        *self == Self::Everybody && owner != Some(who)
    }

    /// Whether `who` may, on a server that belongs to `owner`.
    #[must_use]
    pub fn admits(&self, who: &PublicKey, owner: Option<&PublicKey>) -> bool {
        match self {
            Self::Everybody => true,
            Self::Only(allowed) => owner == Some(who) || allowed.contains(who),
        }
    }
}
