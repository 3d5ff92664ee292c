//! `npub1…`, `note1…`, `nevent1…`, `naddr1…`: what people copy and links carry (NIP-19, NIP-21).

use std::{fmt, str::FromStr};

use bech32::{Bech32, Checksum, Hrp, primitives::decode::CheckedHrpstring};

use crate::{
    address::Address,
    event::{EventId, PublicKey},
};

/// Longest text that is read, characters.
const MAX_CHARS: usize = 5000;
/// Relay hints that are kept of an entity, and written into one.
const MAX_RELAYS: usize = 5;
/// Types of the fields that longer entities are made of.
const SPECIAL: u8 = 0;
const RELAY: u8 = 1;
const AUTHOR: u8 = 2;
const KIND: u8 = 3;

/// Bech32 without its limit of 1023 characters: a link with relay hints may be longer.
enum LongBech32 {}

impl Checksum for LongBech32 {
    type MidstateRepr = <Bech32 as Checksum>::MidstateRepr;
    const CODE_LENGTH: usize = MAX_CHARS;
    const CHECKSUM_LENGTH: usize = Bech32::CHECKSUM_LENGTH;
    const GENERATOR_SH: [Self::MidstateRepr; 5] = Bech32::GENERATOR_SH;
    const TARGET_RESIDUE: Self::MidstateRepr = Bech32::TARGET_RESIDUE;
}

/// What a link or a pasted text can name. Secret keys are none of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entity {
    /// `npub1…`, `nprofile1…`: somebody, and relays that may know more.
    Profile(PublicKey, Vec<String>),
    /// `note1…`, `nevent1…`: an event.
    Event(EventId, Vec<String>),
    /// `naddr1…`: the newest event of an address.
    Address(Address, Vec<String>),
}

/// The text names nothing that Skylark knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEntity {
    /// Mistyped, cut off, or nothing of the kind.
    #[error("this is not a Nostr address: {0}")]
    Bech32(&'static str),
    /// A secret key: it must not be handled, shown or sent.
    #[error("this is a secret key: never paste it where it is not asked for")]
    SecretKey,
}

impl Entity {
    /// `npub1…`
    #[must_use]
    pub fn npub(pubkey: &PublicKey) -> String {
        encode("npub", pubkey.as_bytes())
    }

    /// `naddr1…` with the first few relays as hints.
    #[must_use]
    pub fn naddr(address: &Address, relays: &[String]) -> String {
        let mut bytes = Vec::new();
        let mut field = |name, value: &[u8]| {
            // A field's length is one byte: what does not fit could not be said.
            if let Ok(length) = u8::try_from(value.len()) {
                bytes.extend([name, length]);
                bytes.extend(value);
            }
        };
        field(SPECIAL, address.identifier.as_bytes());
        for relay in relays.iter().take(MAX_RELAYS) {
            field(RELAY, relay.as_bytes());
        }
        field(AUTHOR, address.pubkey.as_bytes());
        field(KIND, &u32::from(address.kind).to_be_bytes());
        encode("naddr", &bytes)
    }
}

impl FromStr for Entity {
    type Err = InvalidEntity;

    fn from_str(text: &str) -> Result<Self, InvalidEntity> {
        use InvalidEntity::Bech32 as Bad;
        let text = text.trim();
        let text = text.strip_prefix("nostr:").unwrap_or(text);
        let parsed = CheckedHrpstring::new::<LongBech32>(text).map_err(|_| Bad("mistyped or cut off"))?;
        let bytes: Vec<u8> = parsed.byte_iter().collect();
        let plain = || <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| Bad("of the wrong length"));
        match parsed.hrp().to_lowercase().as_str() {
            "npub" => Ok(Self::Profile(PublicKey::from_bytes(plain()?), Vec::new())),
            "note" => Ok(Self::Event(EventId::from_bytes(plain()?), Vec::new())),
            "nprofile" => {
                let fields = Fields::read(&bytes);
                let key = fields.special_bytes().ok_or(Bad("without a key"))?;
                Ok(Self::Profile(PublicKey::from_bytes(key), fields.relays))
            }
            "nevent" => {
                let fields = Fields::read(&bytes);
                let id = fields.special_bytes().ok_or(Bad("without an event"))?;
                Ok(Self::Event(EventId::from_bytes(id), fields.relays))
            }
            "naddr" => Fields::read(&bytes).address().ok_or(Bad("incomplete")),
            "nsec" | "ncryptsec" => Err(InvalidEntity::SecretKey),
            _ => Err(Bad("of an unknown kind")),
        }
    }
}

impl fmt::Display for Entity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&match self {
            Self::Profile(pubkey, _) => Self::npub(pubkey),
            Self::Event(id, _) => encode("note", id.as_bytes()),
            Self::Address(address, relays) => Self::naddr(address, relays),
        })
    }
}

/// The fields of a longer entity; unknown ones are passed over, and what is cut off ends the reading.
#[derive(Debug, Default)]
struct Fields {
    special: Option<Vec<u8>>,
    relays: Vec<String>,
    author: Option<[u8; 32]>,
    kind: Option<u32>,
}

impl Fields {
    fn read(mut bytes: &[u8]) -> Self {
        let mut fields = Self::default();
        while let [name, length, rest @ ..] = bytes {
            let Some((value, rest)) = rest.split_at_checked(usize::from(*length)) else { break };
            bytes = rest;
            match *name {
                SPECIAL if fields.special.is_none() => fields.special = Some(value.to_vec()),
                RELAY if fields.relays.len() < MAX_RELAYS => {
                    fields.relays.extend(std::str::from_utf8(value).ok().map(str::to_owned));
                }
                AUTHOR => fields.author = value.try_into().ok(),
                KIND => fields.kind = value.try_into().ok().map(u32::from_be_bytes),
                _ => {}
            }
        }
        fields
    }

    fn special_bytes(&self) -> Option<[u8; 32]> {
        self.special.as_deref()?.try_into().ok()
    }

    fn address(self) -> Option<Entity> {
        let address = Address {
            kind: u16::try_from(self.kind?).ok()?,
            pubkey: PublicKey::from_bytes(self.author?),
            identifier: String::from_utf8(self.special?).ok()?,
        };
        Some(Entity::Address(address, self.relays))
    }
}

fn encode(name: &str, bytes: &[u8]) -> String {
    let hrp = Hrp::parse(name).expect("the names above are valid");
    // Too long is impossible: an identifier and a relay fit a length byte each, and there are few.
    bech32::encode::<LongBech32>(hrp, bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> PublicKey {
        text.parse().unwrap()
    }

    #[test]
    fn the_examples_of_the_nip_are_read() {
        let fiatjaf = key("3bf0c63fcb93463407af97a5e5ee64fa883d107ef9e558472c4eb9aaaefa459d");
        let npub = "npub180cvv07tjdrrgpa0j7j7tmnyl2yr6yr7l8j4s3evf6u64th6gkwsyjh6w6";
        assert_eq!(npub.parse(), Ok(Entity::Profile(fiatjaf, Vec::new())));
        assert_eq!(Entity::npub(&fiatjaf), npub);
        let nprofile = "nprofile1qqsrhuxx8l9ex335q7he0f09aej04zpazpl0ne2cgukyawd24mayt8gpp4mhxue69uhhytnc9e3k7mgpz4mhxue69uhkg6nzv9ejuumpv34kytnrdaksjlyr9p";
        let relays = vec!["wss://r.x.com".to_owned(), "wss://djbas.sadkb.com".to_owned()];
        assert_eq!(format!("nostr:{nprofile}").parse(), Ok(Entity::Profile(fiatjaf, relays)));
    }

    #[test]
    fn addresses_go_there_and_back() {
        let address = Address::live_event(key(&"0b".repeat(32)), "évening – 夜");
        let relays: Vec<_> = (0..9).map(|n| format!("wss://relay{n}.example/{}", "x".repeat(200))).collect();
        let text = Entity::naddr(&address, &relays);
        assert!(text.starts_with("naddr1") && text.len() > 1023);
        assert_eq!(text.parse(), Ok(Entity::Address(address, relays[..MAX_RELAYS].to_vec())));
    }

    #[test]
    fn unknown_fields_are_passed_over_and_half_ones_dropped() {
        let address = Address::live_event(key(&"0c".repeat(32)), "");
        let mut bytes = vec![99, 2, 1, 2, SPECIAL, 0, AUTHOR, 32];
        bytes.extend([0x0c; 32]);
        bytes.extend([KIND, 4, 0, 0, 0x76, 0x67, RELAY, 200, b'w']);
        assert_eq!(encode("naddr", &bytes).parse(), Ok(Entity::Address(address, Vec::new())));
    }

    #[test]
    fn secret_keys_and_junk_are_refused() {
        assert_eq!(encode("nsec", &[7; 32]).parse::<Entity>(), Err(InvalidEntity::SecretKey));
        for junk in ["", "npub1", "npub180cvv07tjdrrgpa0j7j7tmnyl2yr6yr7l8j4s3evf6u64th6gkwsyjh6w7", "naddr1qqqqqq"] {
            assert!(matches!(junk.parse::<Entity>(), Err(InvalidEntity::Bech32(_))), "{junk}");
        }
        assert!(encode("npub", &[7; 31]).parse::<Entity>().is_err());
        assert!(encode("naddr", &[KIND, 4, 0, 1, 0, 0]).parse::<Entity>().is_err());
    }
}
