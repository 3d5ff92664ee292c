//! Private keys: read from what people paste, and given back encrypted only.

use nostr::{
    FromBech32 as _, Keys, SecretKey, ToBech32 as _,
    nips::nip49::{EncryptedSecretKey, KeySecurity},
    secp256k1::Message,
};
use skylark_protocol::{
    event::{Event, PublicKey, Signature, UnsignedEvent},
    studio::{Problem, Typed},
};

/// Cost of a backup's password, as a power of two: 64 MiB and about a tenth of a second for each guess.
const BACKUP_LOG_N: u8 = 16;
/// Longest text that is taken for a key.
const MAX_CHARS: usize = 1000;
/// Fewest characters of a backup's password.
const MIN_PASSWORD_CHARS: usize = 8;

/// A private key. Erased when it is dropped; nothing shows it.
pub(super) struct Secret(Keys);

impl Secret {
    /// A new one.
    pub(super) fn random() -> Self {
        Self(Keys::generate())
    }

    /// Reads nsec, hex, or an ncryptsec with its password. Takes a moment for the latter.
    ///
    /// # Errors
    /// It is none of them, or the password is not the right one.
    pub(super) fn read(typed: &Typed, password: Option<&Typed>) -> Result<Self, Problem> {
        let text = typed.0.trim();
        if text.len() > MAX_CHARS {
            return Err(no_key());
        }
        let lower = zeroize::Zeroizing::new(text.to_ascii_lowercase());
        let key = if lower.starts_with("ncryptsec1") {
            let sealed = EncryptedSecretKey::from_bech32(text).map_err(|_| no_key())?;
            let Some(password) = password else {
                return Err(Problem::new(
                    "password-needed",
                    "This key is encrypted. Type the password that it was encrypted with.",
                ));
            };
            sealed.decrypt(&password.0).map_err(|error| match error {
                nostr::nips::nip49::Error::LogNTooBig { .. } => Problem::new(
                    "key-too-costly",
                    "This key was encrypted at a cost that would take more memory than is reasonable.",
                ),
                _ => Problem::new("wrong-password", "The password is not the one that this key was encrypted with."),
            })?
        } else if lower.starts_with("npub1") {
            let message = "That is a public key. Paste the private one: it begins with nsec1 or ncryptsec1.";
            return Err(Problem::new("no-key", message));
        } else {
            SecretKey::parse(text).map_err(|_| no_key())?
        };
        Ok(Self(Keys::new(key)))
    }

    /// From what [`Secret::bytes`] gave.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        SecretKey::from_slice(bytes).ok().map(|key| Self(Keys::new(key)))
    }

    /// For the keychain alone.
    pub(super) fn bytes(&self) -> zeroize::Zeroizing<Vec<u8>> {
        zeroize::Zeroizing::new(self.0.secret_key().as_secret_bytes().to_vec())
    }

    /// For whoever speaks NIP-46 with it.
    pub(super) fn keys(&self) -> &Keys {
        &self.0
    }

    pub(super) fn pubkey(&self) -> PublicKey {
        PublicKey::from_bytes(self.0.public_key().to_bytes())
    }

    pub(super) fn sign(&self, event: UnsignedEvent) -> Event {
        let signature = self.0.sign_schnorr(&Message::from_digest(*event.id().as_bytes()));
        event.with_signature(Signature::from_bytes(signature.serialize()))
    }

    /// The key as `ncryptsec1…` (NIP-49). Takes a moment.
    ///
    /// # Errors
    /// The password is too short.
    pub(super) fn sealed(&self, password: &Typed) -> Result<String, Problem> {
        if password.0.chars().count() < MIN_PASSWORD_CHARS {
            let message = format!("Choose a password of at least {MIN_PASSWORD_CHARS} characters.");
            return Err(Problem::new("weak-password", message));
        }
        let failed = || Problem::new("not-encrypted", "The key could not be encrypted.");
        EncryptedSecretKey::new(self.0.secret_key(), &password.0, BACKUP_LOG_N, KeySecurity::Unknown)
            .map_err(|_| failed())?
            .to_bech32()
            .map_err(|_| failed())
    }
}

fn no_key() -> Problem {
    let message = "That is no private key. It begins with nsec1 or ncryptsec1, or is 64 hexadecimal digits.";
    Problem::new("no-key", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From NIP-49.
    const SEALED: &str = "ncryptsec1qgg9947rlpvqu76pj5ecreduf9jxhselq2nae2kghhvd5g7dgjtcxfqtd67p9m0w57lspw8gsq6yphnm8623nsl8xn9j4jdzz84zm3frztj3z7s35vpzmqf6ksu8r89qk5z2zxfmu5gv8th8wclt0h4p";
    const OPEN: &str = "3501454135014541350145413501453fefb02227e449e57cf4d3a3ce05378683";

    fn typed(text: &str) -> Typed {
        Typed(text.into())
    }

    fn code(result: Result<Secret, Problem>) -> String {
        result.err().map(|problem| problem.code).unwrap_or_default()
    }

    #[test]
    fn every_form_that_people_have_is_the_same_key() {
        let hex = Secret::read(&typed(OPEN), None).unwrap();
        let nsec = Keys::parse(OPEN).unwrap().secret_key().to_bech32().unwrap();
        for (text, password) in
            [(format!(" {nsec}\n"), None), (OPEN.to_uppercase(), None), (SEALED.into(), Some("nostr"))]
        {
            let read = Secret::read(&Typed(text), password.map(typed).as_ref()).unwrap();
            assert_eq!(read.pubkey(), hex.pubkey());
        }
        assert_eq!(Secret::from_bytes(&hex.bytes()).unwrap().pubkey(), hex.pubkey());
    }

    #[test]
    fn what_is_no_key_is_told_apart_and_never_repeated() {
        assert_eq!(code(Secret::read(&typed(SEALED), None)), "password-needed");
        assert_eq!(code(Secret::read(&typed(SEALED), Some(&typed("wrong")))), "wrong-password");
        let npub = "npub180cvv07tjdrrgpa0j7j7tmnyl2yr6yr7l8j4s3evf6u64th6gkwsyjh6w6";
        assert!(Secret::read(&typed(npub), None).err().unwrap().message.contains("public"));
        for junk in ["", "nsec1hello", &OPEN[1..], &"f".repeat(64), &"a".repeat(5000)] {
            let problem = Secret::read(&typed(junk), None).err().unwrap();
            assert_eq!(problem.code, "no-key");
            assert!(junk.is_empty() || !problem.message.contains(junk));
        }
    }

    #[test]
    fn a_backup_opens_with_its_password_alone() {
        let secret = Secret::random();
        assert_eq!(secret.sealed(&typed("short")).unwrap_err().code, "weak-password");
        let backup = secret.sealed(&typed("correct horse")).unwrap();
        let back = Secret::read(&typed(&backup), Some(&typed("correct horse"))).unwrap();
        assert_eq!(back.pubkey(), secret.pubkey());
        assert!(Secret::read(&typed(&backup), Some(&typed("correct horsf"))).is_err());
    }

    #[test]
    fn signatures_are_true() {
        let secret = Secret::random();
        let event = UnsignedEvent {
            pubkey: secret.pubkey(),
            created_at: 1_795_228_800,
            kind: 1311,
            tags: vec![vec!["a".into(), "30311:x:y".into()]],
            content: "hello \"you\"\n".into(),
        };
        let signed = serde_json::to_string(&secret.sign(event)).unwrap();
        nostr::JsonUtil::from_json(signed).and_then(|event: nostr::Event| event.verify()).unwrap();
    }
}
