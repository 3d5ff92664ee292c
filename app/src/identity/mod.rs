//! Who streams. The only room that sees a private key.

use std::{path::Path, sync::Arc};

use skylark_protocol::{
    event::{Event, PublicKey, UnsignedEvent},
    studio::{IdentityView, KeychainState, Problem, Typed},
};
use tokio::sync::watch;

/// The identities of this Studio.
pub struct Identities {
    view: watch::Sender<IdentityView>,
}

impl Identities {
    /// Opens the list of identities that this folder holds. Keys are read from the keychain when they are needed.
    ///
    /// # Errors
    /// The list cannot be read.
    pub async fn open(_folder: &Path) -> Result<Arc<Self>, Problem> {
        let view = IdentityView { cards: Vec::new(), current: None, keychain: KeychainState::Ready };
        Ok(Arc::new(Self { view: watch::Sender::new(view) }))
    }

    /// What the window shows, whenever it changes.
    pub fn view(&self) -> watch::Receiver<IdentityView> {
        self.view.subscribe()
    }

    /// Who streams.
    pub fn current(&self) -> Option<PublicKey> {
        self.view.borrow().current
    }

    /// A new key, kept in the keychain; it streams from now on.
    ///
    /// # Errors
    /// It cannot be kept.
    pub async fn create(&self) -> Result<PublicKey, Problem> {
        Err(not_yet())
    }

    /// A key that somebody has: nsec, hex, or ncryptsec with its password; it streams from now on.
    ///
    /// # Errors
    /// It is none, or cannot be kept.
    pub async fn import(&self, _secret: Typed, _password: Option<Typed>) -> Result<PublicKey, Problem> {
        Err(not_yet())
    }

    /// A NIP-46 signer at `bunker://…`; its owner streams from now on.
    ///
    /// # Errors
    /// It does not answer, or says no.
    pub async fn connect_bunker(&self, _uri: Typed) -> Result<PublicKey, Problem> {
        Err(not_yet())
    }

    /// Another one of the identities streams from now on.
    ///
    /// # Errors
    /// There is none with this key.
    pub async fn choose(&self, _pubkey: PublicKey) -> Result<(), Problem> {
        Err(not_yet())
    }

    /// Removes an identity, and its key from the keychain.
    ///
    /// # Errors
    /// The keychain says no.
    pub async fn forget(&self, _pubkey: PublicKey) -> Result<(), Problem> {
        Err(not_yet())
    }

    /// The key, encrypted with a password (NIP-49).
    ///
    /// # Errors
    /// The keychain says no, or the key is with a signer.
    pub async fn back_up(&self, _pubkey: PublicKey, _password: Typed) -> Result<String, Problem> {
        Err(not_yet())
    }

    /// Signs what the Studio itself says, as its author.
    ///
    /// # Errors
    /// The key cannot be had, or the signer says no.
    pub async fn sign(&self, _event: UnsignedEvent) -> Result<Event, Problem> {
        Err(not_yet())
    }

    /// Signs what the window asks for: what is said in a chat and how it is moderated, by the current identity alone.
    /// `relay_url` is the only relay that it may introduce itself to.
    ///
    /// # Errors
    /// It is something else, or [`Identities::sign`] does not.
    pub async fn sign_for_window(&self, _event: UnsignedEvent, _relay_url: Option<&str>) -> Result<Event, Problem> {
        Err(not_yet())
    }
}

fn not_yet() -> Problem {
    Problem::new("not-yet", "The Studio cannot do that yet.")
}
