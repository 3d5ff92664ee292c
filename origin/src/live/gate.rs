//! Who may watch a private stream. Playlists are given to whoever has a ticket of their own; media to whoever knows the
//! epoch that its URLs have in them, which is the same for all who are let in: a cache in front serves them all. When
//! somebody is shown out, their tickets are worth nothing at once, and a new epoch begins with the next segment.

use std::{collections::BTreeSet, fmt, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use skylark_media::UnixTime;
use skylark_protocol::event::PublicKey;
use subtle::ConstantTimeEq as _;

/// How long a ticket is good for, seconds: whoever watches longer gets another.
pub const TICKET_LIFE_S: u64 = 12 * 3600;
/// Characters of an epoch: 82 random bits.
const EPOCH_LEN: usize = 16;
/// Bytes of the key that tickets are signed with: a block of SHA-256 (RFC 2104 §3).
const KEY_BYTES: usize = 64;
/// Bytes of a public key.
const GUEST_BYTES: usize = 32;
/// Bytes of a ticket's last second.
const TIME_BYTES: usize = 8;
/// Bytes that are left of a ticket's signature.
const SIGNATURE_BYTES: usize = 16;

/// A secret in the URLs of a private stream's media.
#[derive(Clone, PartialEq, Eq)]
pub struct Epoch(Arc<str>);

impl Epoch {
    /// A new one.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn generate() -> Result<Self, getrandom::Error> {
        Ok(Self(crate::random::lowercase(EPOCH_LEN)?.into()))
    }

    /// One that was kept.
    #[must_use]
    pub fn kept(text: &str) -> Self {
        Self(text.into())
    }

    /// The secret itself, to be kept, or to be told to whoever may watch.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    fn is(&self, text: &str) -> bool {
        self.0.as_bytes().ct_eq(text.as_bytes()).into()
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Epoch(…)")
    }
}

/// What a stream's tickets are signed with.
#[derive(Clone)]
pub struct TicketKey([u8; KEY_BYTES]);

impl TicketKey {
    /// A new one.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut key = [0; KEY_BYTES];
        getrandom::fill(&mut key)?;
        Ok(Self(key))
    }

    /// One that was kept; none if it cannot be one.
    #[must_use]
    pub fn kept(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The key itself, to be kept.
    #[must_use]
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for TicketKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TicketKey(…)")
    }
}

/// Who may watch, as long as nobody is let in or shown out.
#[derive(Debug, Clone)]
pub struct Gate {
    /// What tickets are signed with.
    pub ticket_key: TicketKey,
    /// What the media of segments that begin now has in its URLs.
    pub epoch: Epoch,
    /// Whose stream it is.
    pub host: PublicKey,
    /// Whom they let in.
    pub guests: BTreeSet<PublicKey>,
}

impl Gate {
    /// Whether somebody may watch.
    #[must_use]
    pub fn admits(&self, who: &PublicKey) -> bool {
        *who == self.host || self.guests.contains(who)
    }

    /// A ticket for somebody, as it stands in the URLs of their playlists.
    #[must_use]
    pub fn ticket(&self, who: &PublicKey, good_until_s: u64) -> String {
        let mut bytes = Vec::with_capacity(GUEST_BYTES + TIME_BYTES + SIGNATURE_BYTES);
        bytes.extend_from_slice(who.as_bytes());
        bytes.extend_from_slice(&good_until_s.to_be_bytes());
        let signature = self.signer(&bytes).finalize().into_bytes();
        bytes.extend(signature.iter().take(SIGNATURE_BYTES));
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Whether a ticket lets its bearer watch now.
    #[must_use]
    pub fn takes(&self, ticket: &str, now: UnixTime) -> bool {
        let mut bytes = [0; GUEST_BYTES + TIME_BYTES + SIGNATURE_BYTES];
        if URL_SAFE_NO_PAD.decode_slice(ticket, &mut bytes) != Ok(bytes.len()) {
            return false;
        }
        let (said, signature) = bytes.split_at(GUEST_BYTES + TIME_BYTES);
        let (Some((who, rest)), Some((_, until))) =
            (said.split_first_chunk::<GUEST_BYTES>(), said.split_last_chunk::<TIME_BYTES>())
        else {
            return false;
        };
        debug_assert_eq!(rest.len(), TIME_BYTES);
        let now_s = u64::try_from(now.as_ms() / 1000).unwrap_or_default();
        self.signer(said).verify_truncated_left(signature).is_ok()
            && u64::from_be_bytes(*until) >= now_s
            && self.admits(&PublicKey::from_bytes(*who))
    }

    fn signer(&self, said: &[u8]) -> Hmac<Sha256> {
        Hmac::<Sha256>::new(&self.ticket_key.0.into()).chain_update(said)
    }
}

/// Which epochs the segments of a rendition have, from which on; none at all for a public stream.
#[derive(Debug, Clone, Default)]
pub struct Epochs {
    since: Arc<[Since]>,
    /// Segments before this one have been named to somebody: their URLs stay.
    next: u64,
}

#[derive(Debug, Clone)]
struct Since {
    msn: u64,
    epoch: Epoch,
    folder: Arc<str>,
}

impl Epochs {
    /// Segment `msn` is about to be named: unless it was before, it has this epoch. `folder` makes of an epoch what
    /// stands before the names of files.
    pub(super) fn name(&mut self, msn: u64, epoch: &Epoch, folder: impl FnOnce(&str) -> String) {
        if msn < self.next {
            return;
        }
        self.next = msn.saturating_add(1);
        let last = self.since.last();
        if last.is_some_and(|last| last.epoch == *epoch) {
            return;
        }
        // What is there before anything was named was never asked for under another epoch.
        let msn = if last.is_none() { 0 } else { msn };
        let since = Since { msn, epoch: epoch.clone(), folder: folder(epoch.reveal()).into() };
        self.since = self.since.iter().cloned().chain([since]).collect();
    }

    /// Nobody may ask for segments before this one any more.
    pub(super) fn forget_before(&mut self, msn: u64) {
        let kept = self.since.iter().rposition(|since| since.msn <= msn).unwrap_or_default();
        if kept > 0 {
            self.since = self.since.iter().skip(kept).cloned().collect();
        }
    }

    /// What stands before the names of the files of segment `msn` in its playlist.
    #[must_use]
    pub fn folder(&self, msn: u64) -> &str {
        self.of(msn).map_or("", |since| &since.folder)
    }

    /// Whether media of segment `msn` is given to whoever asks with `pass`.
    #[must_use]
    pub fn open(&self, msn: u64, pass: Option<&str>) -> bool {
        match (self.of(msn), pass) {
            (None, pass) => self.since.is_empty() && pass.is_none(),
            (Some(since), Some(pass)) => msn < self.next && since.epoch.is(pass),
            (Some(_), None) => false,
        }
    }

    /// Whether init segments are given to whoever asks with `pass`.
    #[must_use]
    pub fn open_init(&self, pass: Option<&str>) -> bool {
        match pass {
            None => self.since.is_empty(),
            Some(pass) => self.since.iter().any(|since| since.epoch.is(pass)),
        }
    }

    fn of(&self, msn: u64) -> Option<&Since> {
        self.since.iter().rev().find(|since| since.msn <= msn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn someone(byte: u8) -> PublicKey {
        PublicKey::from_bytes([byte; 32])
    }

    fn gate() -> Gate {
        Gate {
            ticket_key: TicketKey::generate().unwrap(),
            epoch: Epoch::generate().unwrap(),
            host: someone(1),
            guests: [someone(2)].into(),
        }
    }

    fn at(seconds: i64) -> UnixTime {
        UnixTime::from_ms(seconds * 1000)
    }

    #[test]
    fn a_ticket_is_good_for_its_bearer_its_stream_and_its_time() {
        let mut gate = gate();
        let (host, guest) = (gate.ticket(&someone(1), 100), gate.ticket(&someone(2), 100));
        assert!(gate.takes(&host, at(100)) && gate.takes(&guest, at(100)));
        assert!(!gate.takes(&guest, at(101)), "its time is over");
        assert!(!super::tests::gate().takes(&guest, at(1)), "it is another stream's");
        assert!(!gate.takes(&gate.ticket(&someone(3), 100), at(1)), "nobody let them in");
        gate.guests.clear();
        assert!(!gate.takes(&guest, at(1)), "they were shown out");
        assert!(gate.takes(&host, at(1)));
    }

    #[test]
    fn no_changed_ticket_is_taken() {
        let gate = gate();
        let ticket = gate.ticket(&someone(2), 100);
        for at_byte in 0..ticket.len() {
            let mut changed = ticket.clone().into_bytes();
            changed[at_byte] = if changed[at_byte] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(!gate.takes(&changed, at(1)), "byte {at_byte}");
        }
        for nonsense in ["", "A", "é", &ticket[1..], &format!("{ticket}A"), &format!("{ticket}=="), &"A".repeat(9999)]
        {
            assert!(!gate.takes(nonsense, at(1)), "{nonsense}");
        }
    }

    #[test]
    fn a_new_epoch_begins_with_a_segment_that_nobody_was_told_of() {
        let (first, second) = (Epoch::kept("first"), Epoch::kept("second"));
        let mut epochs = Epochs::default();
        assert!(epochs.open(7, None) && epochs.open_init(None), "a public stream");
        assert!(!epochs.open(7, Some("first")));
        epochs.name(7, &first, |epoch| format!("../{epoch}/"));
        assert!(epochs.open(6, Some("first")) && epochs.open(7, Some("first")) && !epochs.open(7, None));
        assert!(!epochs.open(8, Some("first")), "it may get another");
        epochs.name(7, &second, |_| unreachable!("it was named"));
        epochs.name(8, &second, |epoch| format!("../{epoch}/"));
        assert!(epochs.open(7, Some("first")) && !epochs.open(7, Some("second")));
        assert!(epochs.open(8, Some("second")) && !epochs.open(8, Some("first")));
        assert_eq!((epochs.folder(7), epochs.folder(8), epochs.folder(9)), ("../first/", "../second/", "../second/"));
        assert!(epochs.open_init(Some("first")) && epochs.open_init(Some("second")) && !epochs.open_init(None));
        epochs.forget_before(8);
        assert!(!epochs.open_init(Some("first")) && !epochs.open(7, Some("first")));
        assert!(epochs.open(8, Some("second")));
    }
}
