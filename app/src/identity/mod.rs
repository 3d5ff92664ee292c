//! Who streams. The only room that sees a private key: keys are in the operating system's keychain, or with a remote
//! signer, and never in a file, a log, an error or an argument.
//!
//! | module | does |
//! |---|---|
//! | `secret` | private keys as people have them |
//! | `keychain` | the operating system's keychain |
//! | `bunker` | a remote signer (NIP-46) |
//! | `list` | which identities there are: a file of public keys |
//! | `profiles` | their names and pictures |

mod bunker;
mod keychain;
mod list;
mod profiles;
mod secret;

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use skylark_protocol::{
    event::{Event, PublicKey, UnsignedEvent, kind},
    nip19::Entity,
    profile::Profile,
    studio::{IdentityCard, IdentityKind, IdentityView, KeychainState, Problem, Typed},
};
use tokio::sync::watch;

use bunker::Bunker;
use keychain::{Keychain, Refusal};
use list::{Entry, List};
use secret::Secret;

/// How long opening waits for the keychain's first answer.
const FIRST_ANSWER: Duration = Duration::from_secs(2);
/// What our own application data (NIP-78) is named after: rules of a chat.
const OUR_DATA: &str = "skylark:";
/// Kinds that the window may have signed whatever their tags say.
const CHAT_KINDS: [u16; 6] =
    [kind::CHAT, kind::REACTION, kind::DELETION, kind::REPORT, kind::ZAP_REQUEST, kind::MUTE_LIST];

/// The identities of this Studio.
pub struct Identities {
    keychain: Keychain,
    list: Mutex<List>,
    /// Keys and signers that were needed already: a keychain that is locked meanwhile ends no broadcast.
    signers: tokio::sync::Mutex<HashMap<PublicKey, Signer>>,
    profiles: Mutex<HashMap<PublicKey, Profile>>,
    view: watch::Sender<IdentityView>,
}

#[derive(Clone)]
enum Signer {
    Key(Arc<Secret>),
    Bunker(Arc<Bunker>),
}

impl Identities {
    /// Opens the list of identities that this folder holds. Keys are read from the keychain when they are needed; that
    /// of the current identity at once, so that a locked keychain is known of.
    ///
    /// # Errors
    /// The list cannot be read.
    pub async fn open(folder: &Path) -> Result<Arc<Self>, Problem> {
        let view = IdentityView { cards: Vec::new(), current: None, keychain: KeychainState::Ready };
        let identities = Arc::new(Self {
            keychain: Keychain::default(),
            list: Mutex::new(List::open(folder)?),
            signers: tokio::sync::Mutex::default(),
            profiles: Mutex::default(),
            view: watch::Sender::new(view),
        });
        identities.show();
        let first = tokio::spawn(Arc::clone(&identities).look());
        // Somebody who has to type a password first may take longer: the view follows.
        _ = tokio::time::timeout(FIRST_ANSWER, first).await;
        Ok(identities)
    }

    /// What the window shows, whenever it changes.
    pub fn view(&self) -> watch::Receiver<IdentityView> {
        self.view.subscribe()
    }

    /// Who streams.
    pub fn current(&self) -> Option<PublicKey> {
        self.list().current()
    }

    /// All of them.
    pub fn all(&self) -> Vec<PublicKey> {
        self.list().entries().iter().map(|entry| entry.pubkey).collect()
    }

    /// A new key, kept in the keychain; it streams from now on.
    ///
    /// # Errors
    /// It cannot be kept.
    pub async fn create(&self) -> Result<PublicKey, Problem> {
        self.keep(Secret::random()).await
    }

    /// A key that somebody has: nsec, hex, or ncryptsec with its password; it streams from now on.
    ///
    /// # Errors
    /// It is none, or cannot be kept.
    pub async fn import(&self, secret: Typed, password: Option<Typed>) -> Result<PublicKey, Problem> {
        let read = tokio::task::spawn_blocking(move || {
            let (typed, password) = (Erased(secret), password.map(Erased));
            Secret::read(&typed.0, password.as_ref().map(|password| &password.0))
        });
        self.keep(read.await.map_err(|_| Problem::new("no-key", "The key could not be read."))??).await
    }

    /// A NIP-46 signer at `bunker://…`; its owner streams from now on.
    ///
    /// # Errors
    /// It does not answer, or says no.
    pub async fn connect_bunker(&self, uri: Typed) -> Result<PublicKey, Problem> {
        let uri = Erased(uri);
        let (bunker, owner) = Bunker::connect(&uri.0).await?;
        self.list().has_room_for(owner)?;
        let kept = self.keychain.keep(name(IdentityKind::Bunker, owner), bunker.kept()).await;
        self.hear(kept.as_ref().err().copied());
        kept.map_err(Refusal::problem)?;
        self.add(owner, IdentityKind::Bunker, Signer::Bunker(Arc::new(bunker))).await
    }

    /// Another one of the identities streams from now on.
    ///
    /// # Errors
    /// There is none with this key.
    pub async fn choose(&self, pubkey: PublicKey) -> Result<(), Problem> {
        self.kind(pubkey)?;
        self.list().choose(pubkey)?;
        self.show();
        Ok(())
    }

    /// Removes an identity, and its key from the keychain.
    ///
    /// # Errors
    /// The keychain says no.
    pub async fn forget(&self, pubkey: PublicKey) -> Result<(), Problem> {
        let kind = self.kind(pubkey)?;
        let removed = self.keychain.remove(name(kind, pubkey)).await;
        self.hear(removed.as_ref().err().copied());
        removed.map_err(Refusal::problem)?;
        if let Some(Signer::Bunker(bunker)) = self.signers.lock().await.remove(&pubkey) {
            bunker.close().await;
        }
        self.list().remove(pubkey)?;
        self.show();
        Ok(())
    }

    /// The key, encrypted with a password (NIP-49).
    ///
    /// # Errors
    /// The keychain says no, or the key is with a signer.
    pub async fn back_up(&self, pubkey: PublicKey, password: Typed) -> Result<String, Problem> {
        let password = Erased(password);
        let Signer::Key(secret) = self.signer(pubkey).await? else {
            return Err(Problem::new("key-elsewhere", "This key is with a remote signer: back it up there."));
        };
        let sealed = tokio::task::spawn_blocking(move || secret.sealed(&password.0)).await;
        sealed.map_err(|_| Problem::new("not-encrypted", "The key could not be encrypted."))?
    }

    /// Signs what the Studio itself says, as its author.
    ///
    /// # Errors
    /// The key cannot be had, or the signer says no.
    pub async fn sign(&self, event: UnsignedEvent) -> Result<Event, Problem> {
        match self.signer(event.pubkey).await? {
            Signer::Key(secret) => Ok(secret.sign(event)),
            Signer::Bunker(bunker) => bunker.sign(event).await,
        }
    }

    /// Signs what the window asks for: what is said in a chat and how it is moderated, by the current identity alone.
    /// `relay_url` is the only relay that it may introduce itself to.
    ///
    /// # Errors
    /// It is something else, or [`Identities::sign`] does not.
    pub async fn sign_for_window(&self, event: UnsignedEvent, relay_url: Option<&str>) -> Result<Event, Problem> {
        if self.current() != Some(event.pubkey) {
            return Err(Problem::new("not-current", "Only the identity that streams signs in this window."));
        }
        if !is_for_windows(&event, relay_url) {
            let message = format!("The Studio does not sign events of kind {} for its window.", event.kind);
            return Err(Problem::new("not-signed", message));
        }
        self.sign(event).await
    }

    /// Looks for names and pictures at these relays. Nobody waits for it.
    pub fn look_for_profiles(self: &Arc<Self>, relays: Vec<String>) {
        let (identities, people) = (Arc::clone(self), self.all());
        if people.is_empty() || relays.is_empty() {
            return;
        }
        tokio::spawn(async move {
            let found = profiles::find(people, &relays).await;
            identities.profiles.lock().unwrap_or_else(PoisonError::into_inner).extend(found);
            identities.show();
        });
    }

    /// Asks the keychain for the key that streams, or for nothing, to hear whether it answers.
    async fn look(self: Arc<Self>) {
        let refusal = match self.current() {
            Some(current) => return drop(self.signer(current).await),
            None => self.keychain.find("check".into()).await.err(),
        };
        self.hear(refusal);
    }

    async fn keep(&self, secret: Secret) -> Result<PublicKey, Problem> {
        let pubkey = secret.pubkey();
        self.list().has_room_for(pubkey)?;
        let kept = self.keychain.keep(name(IdentityKind::Keychain, pubkey), secret.bytes()).await;
        self.hear(kept.as_ref().err().copied());
        kept.map_err(Refusal::problem)?;
        self.add(pubkey, IdentityKind::Keychain, Signer::Key(Arc::new(secret))).await
    }

    async fn add(&self, pubkey: PublicKey, kind: IdentityKind, signer: Signer) -> Result<PublicKey, Problem> {
        let earlier = self.list().kind(pubkey);
        self.list().add(Entry { pubkey, kind })?;
        if let Some(Signer::Bunker(old)) = self.signers.lock().await.insert(pubkey, signer) {
            old.close().await;
        }
        // What the same identity was kept as before is of no use any more.
        if let Some(earlier) = earlier.filter(|earlier| *earlier != kind)
            && self.keychain.remove(name(earlier, pubkey)).await.is_err()
        {
            tracing::warn!("an identity's earlier key stays in the keychain");
        }
        self.show();
        Ok(pubkey)
    }

    async fn signer(&self, pubkey: PublicKey) -> Result<Signer, Problem> {
        let kind = self.kind(pubkey)?;
        if let Some(signer) = self.signers.lock().await.get(&pubkey) {
            return Ok(signer.clone());
        }
        // Whoever has a signer already does not wait until this one's keychain is unlocked.
        let found = self.keychain.find(name(kind, pubkey)).await;
        self.hear(found.as_ref().err().copied());
        let kept = found.map_err(Refusal::problem)?;
        let signer = match kind {
            IdentityKind::Keychain => {
                let secret = Secret::from_bytes(&kept).filter(|secret| secret.pubkey() == pubkey);
                Signer::Key(Arc::new(secret.ok_or_else(|| Refusal::Absent.problem())?))
            }
            IdentityKind::Bunker => {
                let bunker = Bunker::reopen(&kept).await.ok_or_else(|| Refusal::Absent.problem())?;
                Signer::Bunker(Arc::new(bunker))
            }
        };
        Ok(self.signers.lock().await.entry(pubkey).or_insert(signer).clone())
    }

    fn kind(&self, pubkey: PublicKey) -> Result<IdentityKind, Problem> {
        let unknown = || Problem::new("unknown-identity", "The Studio has no identity with this key.");
        self.list().kind(pubkey).ok_or_else(unknown)
    }

    fn list(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the keychain's last answer says of it.
    fn hear(&self, refusal: Option<Refusal>) {
        let state = refusal.map_or(KeychainState::Ready, Refusal::state);
        self.view.send_if_modified(|view| {
            let is_new = view.keychain != state;
            view.keychain = state;
            is_new
        });
    }

    fn show(&self) {
        let profiles = self.profiles.lock().unwrap_or_else(PoisonError::into_inner);
        let (entries, current) = {
            let list = self.list();
            (list.entries().to_vec(), list.current())
        };
        let card = |entry: &Entry| {
            let profile = profiles.get(&entry.pubkey);
            IdentityCard {
                pubkey: entry.pubkey,
                npub: Entity::npub(&entry.pubkey),
                kind: entry.kind,
                name: profile.map(|profile| profile.name.clone()).filter(|name| !name.is_empty()),
                picture: profile.and_then(|profile| profile.picture.clone()),
            }
        };
        let cards = entries.iter().map(card).collect();
        self.view.send_modify(|view| (view.cards, view.current) = (cards, current));
    }
}

/// Text that somebody typed, erased when it is dropped.
struct Erased(Typed);

impl Drop for Erased {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.0.0);
    }
}

/// What the keychain names something by.
fn name(kind: IdentityKind, pubkey: PublicKey) -> String {
    match kind {
        IdentityKind::Keychain => Entity::npub(&pubkey),
        IdentityKind::Bunker => format!("signer of {}", Entity::npub(&pubkey)),
    }
}

/// Whether the window may have this signed.
fn is_for_windows(event: &UnsignedEvent, relay_url: Option<&str>) -> bool {
    let value = |name: &str| {
        let mut found = event.tags.iter().filter(|tag| tag.first().is_some_and(|first| first == name));
        // Of two, two programs may read two different ones.
        found.next().filter(|_| found.next().is_none()).and_then(|tag| tag.get(1)).map(String::as_str)
    };
    match event.kind {
        kind::APPLICATION_DATA => value("d").is_some_and(|name| name.starts_with(OUR_DATA)),
        kind::AUTHENTICATION => {
            let bare = |url: &str| url.trim_end_matches('/').to_owned();
            matches!((value("relay"), relay_url), (Some(asked), Some(ours)) if bare(asked) == bare(ours))
        }
        other => CHAT_KINDS.contains(&other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: u16, tags: &[[&str; 2]]) -> UnsignedEvent {
        let tags = tags.iter().map(|tag| tag.map(str::to_owned).to_vec()).collect();
        UnsignedEvent { pubkey: PublicKey::from_bytes([1; 32]), created_at: 1, kind, tags, content: String::new() }
    }

    #[test]
    fn the_window_has_chat_and_moderation_signed_and_nothing_else() {
        const RELAY: Option<&str> = Some("wss://live.example");
        for kind in CHAT_KINDS {
            assert!(is_for_windows(&event(kind, &[]), RELAY), "{kind}");
        }
        for kind in [0, 1, 3, 4, 10_002, 24_133, 27_235, 30_311, 30_000, 9735, 13, 1059] {
            assert!(!is_for_windows(&event(kind, &[["d", "skylark:chat"], ["relay", "wss://live.example"]]), RELAY));
        }
        assert!(is_for_windows(&event(30_078, &[["d", "skylark:abc"]]), RELAY));
        assert!(!is_for_windows(&event(30_078, &[["d", "another"]]), RELAY));
        assert!(!is_for_windows(&event(30_078, &[["d", "skylark:abc"], ["d", "another"]]), RELAY));
        assert!(is_for_windows(&event(22_242, &[["relay", "wss://live.example/"], ["challenge", "x"]]), RELAY));
        assert!(!is_for_windows(&event(22_242, &[["relay", "wss://elsewhere.example/"]]), RELAY));
        assert!(!is_for_windows(&event(22_242, &[["relay", "wss://live.example"]]), None));
    }
}
