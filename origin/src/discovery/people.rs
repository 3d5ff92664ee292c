//! Who hosts are, by their own word (kind 0).

use std::collections::HashMap;

use skylark_protocol::{
    event::{Event, PublicKey},
    profile::Profile,
};

/// People who are remembered; when there are more, all are asked for anew.
const MAX_PEOPLE: usize = 4000;
/// Largest profile, bytes.
const MAX_PROFILE_BYTES: usize = 32 * 1024;

/// Names and pictures of people.
#[derive(Debug, Default)]
pub(super) struct People(HashMap<PublicKey, Known>);

#[derive(Debug)]
struct Known {
    created_at: u64,
    profile: Profile,
}

impl People {
    /// Takes a profile, unless there is a newer one.
    pub(super) fn take(&mut self, event: &Event) -> bool {
        if event.content.len() > MAX_PROFILE_BYTES {
            return false;
        }
        let Ok(profile) = Profile::read(event) else { return false };
        if self.0.get(&event.pubkey).is_some_and(|known| known.created_at >= event.created_at) {
            return false;
        }
        if self.0.len() >= MAX_PEOPLE {
            self.0.clear();
        }
        // Of all that it says, these two are shown here.
        let profile = Profile { name: profile.name, picture: profile.picture, ..Profile::default() };
        self.0.insert(event.pubkey, Known { created_at: event.created_at, profile });
        true
    }

    pub(super) fn get(&self, pubkey: &PublicKey) -> Option<&Profile> {
        self.0.get(pubkey).map(|known| &known.profile)
    }
}
