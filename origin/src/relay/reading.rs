//! What clients may read. Whatever is read on a client's behalf passes here, with the keys that it is authenticated as.

use std::collections::BTreeSet;

use nostr::{Filter, PublicKey};

use super::{
    Announced, Rejected, Relay,
    store::{Found, Readable},
};

impl Relay {
    /// Stored events for a client.
    pub(super) async fn read(&self, filters: &[Filter], keys: &BTreeSet<PublicKey>) -> Result<Vec<Found>, Rejected> {
        let readable = Readable::PublicAnd(self.private.readable(filters, keys)?);
        Ok(self.store.find(filters, &readable).await?)
    }

    /// How many there are for a client.
    pub(super) async fn count(&self, filters: &[Filter], keys: &BTreeSet<PublicKey>) -> Result<u64, Rejected> {
        let readable = Readable::PublicAnd(self.private.readable(filters, keys)?);
        Ok(self.store.count(filters, &readable).await?)
    }

    /// Whether an event of this moment is for a client, too.
    pub(super) fn may_read(&self, announced: &Announced, keys: &BTreeSet<PublicKey>) -> bool {
        announced.private_to.as_ref().is_none_or(|stream| self.private.admits(stream, keys))
    }
}
