//! A remote signer (NIP-46). What answers for us there, the client's key, is a secret like any other.
//!
//! The connection is made once, with the secret of the `bunker://` address. Afterwards the signer knows our key, and
//! nothing but requests is sent.

use std::time::Duration;

use nostr::{
    EventBuilder, Filter, JsonUtil as _, Kind, PublicKey as NostrKey, RelayUrl, Timestamp,
    nips::{
        nip44,
        nip46::{NostrConnectMessage, NostrConnectRequest, NostrConnectURI},
    },
};
use nostr_sdk::{Client, RelayPoolNotification};
use serde::{Deserialize, Serialize};
use skylark_protocol::{
    event::{Event, PublicKey, UnsignedEvent},
    studio::{Problem, Typed},
};
use tokio::{sync::broadcast::Receiver, time::timeout};
use zeroize::{Zeroize as _, Zeroizing};

use super::secret::Secret;

/// How long a person gets to say yes on their other device.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a relay gets to be there.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// Most relays of an address.
const MAX_RELAYS: usize = 10;
/// Answers may be dated so much before now, seconds: clocks differ.
const CLOCK_TOLERANCE_S: u64 = 60;

/// A signer that knows us.
pub(super) struct Bunker {
    us: Secret,
    signer: NostrKey,
    relays: Vec<RelayUrl>,
    client: Client,
}

/// As the keychain has it.
#[derive(Serialize, Deserialize)]
struct Kept {
    us: Vec<u8>,
    signer: NostrKey,
    relays: Vec<RelayUrl>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.us.zeroize();
    }
}

impl Bunker {
    /// Makes itself known to the signer at this address. Answers whose signer it is.
    pub(super) async fn connect(uri: &Typed) -> Result<(Self, PublicKey), Problem> {
        let no_address = || {
            let message = "That is no signer's address. It begins with bunker:// and names a relay.";
            Problem::new("no-bunker", message)
        };
        let Ok(NostrConnectURI::Bunker { remote_signer_public_key: signer, relays, secret }) =
            NostrConnectURI::parse(uri.0.trim())
        else {
            return Err(no_address());
        };
        if relays.is_empty() || relays.len() > MAX_RELAYS {
            return Err(no_address());
        }
        let bunker = Self::open(Secret::random(), signer, relays).await;
        let secret = secret.map(Zeroizing::new);
        let request = NostrConnectRequest::Connect {
            remote_signer_public_key: signer,
            secret: secret.as_ref().map(|secret| secret.to_string()),
        };
        let answer = bunker.ask(&request).await?;
        if answer != "ack" && secret.as_ref().is_none_or(|secret| **secret != answer) {
            return Err(Problem::new(
                "bunker-refuses",
                "The signer's answer is not the one that its address promises.",
            ));
        }
        let owner = bunker.ask(&NostrConnectRequest::GetPublicKey).await?;
        let owner = owner.parse().map_err(|_| Problem::new("bunker-odd", "The signer does not say whose it is."))?;
        Ok((bunker, owner))
    }

    /// From what [`Bunker::kept`] gave.
    pub(super) async fn reopen(kept: &[u8]) -> Option<Self> {
        let kept: Kept = serde_json::from_slice(kept).ok()?;
        Some(Self::open(Secret::from_bytes(&kept.us)?, kept.signer, kept.relays.clone()).await)
    }

    /// For the keychain alone.
    pub(super) fn kept(&self) -> Zeroizing<Vec<u8>> {
        let kept = Kept { us: self.us.bytes().to_vec(), signer: self.signer, relays: self.relays.clone() };
        // None of these types can fail.
        Zeroizing::new(serde_json::to_vec(&kept).unwrap_or_default())
    }

    async fn open(us: Secret, signer: NostrKey, relays: Vec<RelayUrl>) -> Self {
        crate::origin::use_ring();
        // Some relays want to know who it is that answers are for.
        let client = Client::new(us.keys().clone());
        for relay in &relays {
            if let Err(error) = client.add_relay(relay).await {
                tracing::warn!(%error, "a signer's relay cannot be used");
            }
        }
        client.connect().await;
        let since = Timestamp::now() - CLOCK_TOLERANCE_S;
        let answers = Filter::new().kind(Kind::NostrConnect).pubkey(us.keys().public_key()).since(since);
        if let Err(error) = client.subscribe(answers, None).await {
            tracing::warn!(%error, "a signer's answers cannot be asked for");
        }
        Self { us, signer, relays, client }
    }

    /// Has its owner sign.
    pub(super) async fn sign(&self, event: UnsignedEvent) -> Result<Event, Problem> {
        let id = event.id();
        let json = serde_json::to_string(&event).unwrap_or_default();
        let asked = nostr::UnsignedEvent::from_json(json)
            .map_err(|error| Problem::new("not-signed", format!("This cannot be signed: {error}.")))?;
        let answer = self.ask(&NostrConnectRequest::SignEvent(asked)).await?;
        let is_true = nostr::Event::from_json(&answer).is_ok_and(|event| event.verify().is_ok());
        match serde_json::from_str::<Event>(&answer) {
            Ok(signed) if is_true && signed.id == id => Ok(signed),
            _ => Err(Problem::new("bunker-odd", "The signer signed something else than it was asked to.")),
        }
    }

    pub(super) async fn close(&self) {
        self.client.shutdown().await;
    }

    async fn ask(&self, request: &NostrConnectRequest) -> Result<String, Problem> {
        let message = NostrConnectMessage::request(request);
        let id = message.id().to_owned();
        let event = EventBuilder::nostr_connect(self.us.keys(), self.signer, message)
            .and_then(|builder| builder.sign_with_keys(self.us.keys()))
            .map_err(|error| Problem::new("not-signed", format!("The signer cannot be asked: {error}.")))?;
        let answers = self.client.notifications();
        self.client.wait_for_connection(CONNECT_PATIENCE).await;
        let sent = self.client.send_event(&event).await;
        if !sent.is_ok_and(|sent| !sent.success.is_empty()) {
            let relays: Vec<_> = self.relays.iter().map(RelayUrl::as_str).collect();
            let message = format!("The signer's relay does not answer: {}.", relays.join(", "));
            return Err(Problem::new("bunker-unreachable", message));
        }
        timeout(PATIENCE, self.answer(answers, &id)).await.unwrap_or_else(|_| {
            Err(Problem::new(
                "bunker-silent",
                "The signer does not answer. See whether it is open and asks for your consent.",
            ))
        })
    }

    async fn answer(&self, mut answers: Receiver<RelayPoolNotification>, id: &str) -> Result<String, Problem> {
        loop {
            let event = match answers.recv().await {
                Ok(RelayPoolNotification::Event { event, .. }) => event,
                Ok(RelayPoolNotification::Shutdown) | Err(tokio::sync::broadcast::error::RecvError::Closed) => {
                    return Err(Problem::new("bunker-unreachable", "The connection to the signer was closed."));
                }
                Ok(_) | Err(_) => continue,
            };
            if event.kind != Kind::NostrConnect || event.pubkey != self.signer {
                continue;
            }
            // Anybody can send us junk in the signer's name only by having its key; it is passed over all the same.
            let Ok(text) = nip44::decrypt(self.us.keys().secret_key(), &self.signer, &event.content) else { continue };
            match NostrConnectMessage::from_json(text) {
                Ok(NostrConnectMessage::Response { id: of, result, error }) if of == id => return read(result, error),
                _ => {}
            }
        }
    }
}

fn read(result: Option<String>, error: Option<String>) -> Result<String, Problem> {
    let error = error.map(|error| skylark_protocol::text::line(&error, 300)).filter(|error| !error.is_empty());
    match (result, error) {
        (Some(result), Some(page)) if result == "auth_url" => {
            let message = format!("The signer wants you to agree on its page first: {page}. Then try again.");
            Err(Problem::new("bunker-asks", message))
        }
        (_, Some(error)) => Err(Problem::new("bunker-refuses", format!("The signer says no: {error}."))),
        (Some(result), None) => Ok(result),
        (None, None) => Err(Problem::new("bunker-refuses", "The signer says no.")),
    }
}
