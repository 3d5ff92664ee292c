//! What clients may read. Whatever is read on a client's behalf passes here, with the keys that it is authenticated as;
//! all that is kept so far is public.

use std::collections::BTreeSet;

use nostr::{Event, Filter, PublicKey};

use super::{Rejected, Relay, store::Found};

impl Relay {
    /// Stored events for a client.
    pub(super) async fn read(&self, filters: &[Filter], _: &BTreeSet<PublicKey>) -> Result<Vec<Found>, Rejected> {
        Ok(self.store.find(filters).await?)
    }

    /// How many there are for a client.
    pub(super) async fn count(&self, filters: &[Filter], _: &BTreeSet<PublicKey>) -> Result<u64, Rejected> {
        Ok(self.store.count(filters).await?)
    }

    /// Whether an event of this moment is for a client, too.
    pub(super) fn may_read(&self, _: &Event, _: &BTreeSet<PublicKey>) -> bool {
        true
    }
}
