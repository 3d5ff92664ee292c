//! Which identities there are: public keys and where their private ones are, in a file.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use skylark_protocol::{
    event::PublicKey,
    studio::{IdentityKind, Problem},
};

use crate::kept;

/// Most identities.
const MAX_IDENTITIES: usize = 50;
/// The format that is written today.
const VERSION: u32 = 1;

/// The file.
pub(super) struct List {
    path: PathBuf,
    content: Content,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    version: u32,
    current: Option<PublicKey>,
    identities: Vec<Entry>,
}

/// One identity.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) pubkey: PublicKey,
    pub(super) kind: IdentityKind,
}

impl List {
    pub(super) fn open(folder: &Path) -> Result<Self, Problem> {
        let path = folder.join("identities.json");
        let content = kept::read(&path)?.unwrap_or(Content { version: VERSION, current: None, identities: Vec::new() });
        Ok(Self { path, content })
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.content.identities
    }

    pub(super) fn current(&self) -> Option<PublicKey> {
        self.content.current
    }

    pub(super) fn kind(&self, pubkey: PublicKey) -> Option<IdentityKind> {
        self.entries().iter().find(|one| one.pubkey == pubkey).map(|one| one.kind)
    }

    /// Adds one, or says of one where its key is now; it streams from now on.
    pub(super) fn add(&mut self, entry: Entry) -> Result<(), Problem> {
        self.change(|content| {
            match content.identities.iter_mut().find(|one| one.pubkey == entry.pubkey) {
                Some(known) => known.kind = entry.kind,
                None => content.identities.push(entry),
            }
            content.current = Some(entry.pubkey);
        })
    }

    /// # Errors
    /// There is room for no more.
    pub(super) fn has_room_for(&self, pubkey: PublicKey) -> Result<(), Problem> {
        if self.kind(pubkey).is_some() || self.entries().len() < MAX_IDENTITIES {
            return Ok(());
        }
        Err(Problem::new("too-many-identities", format!("There is room for {MAX_IDENTITIES} identities. Forget one.")))
    }

    pub(super) fn choose(&mut self, pubkey: PublicKey) -> Result<(), Problem> {
        self.change(|content| content.current = Some(pubkey))
    }

    /// Removes one; the first of the others streams then.
    pub(super) fn remove(&mut self, pubkey: PublicKey) -> Result<(), Problem> {
        self.change(|content| {
            content.identities.retain(|one| one.pubkey != pubkey);
            if content.current == Some(pubkey) {
                content.current = content.identities.first().map(|one| one.pubkey);
            }
        })
    }

    fn change(&mut self, change: impl FnOnce(&mut Content)) -> Result<(), Problem> {
        let mut content = self.content.clone();
        change(&mut content);
        kept::write(&self.path, &content)?;
        self.content = content;
        Ok(())
    }
}
