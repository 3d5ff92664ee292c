//! The operating system's keychain. Its calls block, for as long as somebody looks for their password: each runs on a
//! thread of its own, and is given up after a while.

use std::{sync::Arc, time::Duration};

use keyring::{Entry, Error};
use skylark_protocol::studio::{KeychainState, Problem};
use tokio::sync::{Semaphore, oneshot};
use zeroize::Zeroizing;

/// Under which name the keychain shows our keys.
const SERVICE: &str = "skylark-studio";
/// How long somebody gets to unlock it.
const PATIENCE: Duration = Duration::from_secs(90);
/// Calls at once; those that were given up count until they are over.
const MAX_CALLS: usize = 8;

/// Why the keychain does not do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It is locked, and nobody unlocked it.
    Locked,
    /// There is none, or it does not answer.
    Missing,
    /// What should be in it is not.
    Absent,
}

impl Refusal {
    /// What the window says of the keychain then.
    pub(super) fn state(self) -> KeychainState {
        match self {
            Self::Locked => KeychainState::Locked { advice: self.problem().message },
            Self::Missing => KeychainState::Missing { advice: self.problem().message },
            Self::Absent => KeychainState::Ready,
        }
    }

    pub(super) fn problem(self) -> Problem {
        match self {
            Self::Locked => Problem::new("keychain-locked", LOCKED),
            Self::Missing => Problem::new("keychain-missing", MISSING),
            Self::Absent => Problem::new(
                "key-absent",
                "The key of this identity is no longer in the keychain. Forget the identity, and import its key again.",
            ),
        }
    }
}

const LOCKED: &str = if cfg!(target_os = "linux") {
    "The keychain is locked. Unlock it (in Passwords and Keys, or KWallet) and try again. If it was never set up, create \
     a default keyring there."
} else {
    "The keychain is locked. Unlock it and try again."
};
const MISSING: &str = if cfg!(target_os = "linux") {
    "No keychain answers, so there is nowhere safe to keep a key. Install gnome-keyring or KWallet, log in again and \
     start the Studio anew, or connect a remote signer when that is done."
} else {
    "The system's keychain does not answer, so there is nowhere safe to keep a key. Restart the computer and try again."
};

/// The keychain.
#[derive(Clone)]
pub(super) struct Keychain {
    calls: Arc<Semaphore>,
}

impl Default for Keychain {
    fn default() -> Self {
        Self { calls: Arc::new(Semaphore::new(MAX_CALLS)) }
    }
}

impl Keychain {
    /// Keeps something, and makes sure that it is kept.
    pub(super) async fn keep(&self, name: String, secret: Zeroizing<Vec<u8>>) -> Result<(), Refusal> {
        self.call(move || {
            let entry = Entry::new(SERVICE, &name)?;
            entry.set_secret(&secret)?;
            let kept = Zeroizing::new(entry.get_secret()?);
            if *kept == *secret { Ok(()) } else { Err(Error::NoEntry) }
        })
        .await
    }

    /// What was kept.
    pub(super) async fn find(&self, name: String) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        self.call(move || Entry::new(SERVICE, &name)?.get_secret().map(Zeroizing::new)).await
    }

    /// Keeps it no longer. What is not there is as good as removed.
    pub(super) async fn remove(&self, name: String) -> Result<(), Refusal> {
        let removed = self.call(move || Entry::new(SERVICE, &name)?.delete_credential()).await;
        if removed == Err(Refusal::Absent) { Ok(()) } else { removed }
    }

    async fn call<T: Send + 'static>(
        &self,
        ask: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Refusal> {
        // All taken: nobody answers the earlier ones.
        let Ok(place) = Arc::clone(&self.calls).try_acquire_owned() else { return Err(Refusal::Locked) };
        let (answer, answered) = oneshot::channel();
        let thread = std::thread::Builder::new().name("keychain".into());
        let started = thread.spawn(move || {
            let _place = place;
            // Nobody may be waiting any more.
            _ = answer.send(ask());
        });
        if let Err(error) = started {
            tracing::warn!(%error, "no thread for the keychain");
            return Err(Refusal::Missing);
        }
        match tokio::time::timeout(PATIENCE, answered).await {
            Ok(Ok(result)) => result.map_err(|error| refusal(&error)),
            // The call panicked.
            Ok(Err(_)) => Err(Refusal::Missing),
            Err(_) => Err(Refusal::Locked),
        }
    }
}

/// The error itself is not logged in full: some variants carry what was read.
fn refusal(error: &Error) -> Refusal {
    match error {
        Error::NoEntry | Error::BadEncoding(_) | Error::BadDataFormat(..) | Error::Ambiguous(_) => Refusal::Absent,
        Error::NoStorageAccess(reason) => {
            tracing::warn!(%reason, "the keychain is locked");
            Refusal::Locked
        }
        Error::PlatformFailure(reason) => {
            tracing::warn!(%reason, "the keychain does not answer");
            Refusal::Missing
        }
        _ => {
            tracing::warn!("there is no keychain");
            Refusal::Missing
        }
    }
}
