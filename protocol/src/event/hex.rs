//! Bytes that travel as lower-case hexadecimal digits.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// The text is not so many hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not {digits} hexadecimal digits")]
pub struct InvalidHex {
    /// How many there have to be.
    pub digits: usize,
}

macro_rules! hex_bytes {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; $len]);

        impl $name {
            /// From its bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// Its bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidHex;

            fn from_str(text: &str) -> Result<Self, InvalidHex> {
                let mut bytes = [0; $len];
                if decode(text, &mut bytes) { Ok(Self(bytes)) } else { Err(InvalidHex { digits: $len * 2 }) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                encode(&self.0, formatter)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                encode(&self.0, formatter)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
                // The id is a hash over what was written: other spellings of the same bytes are other events.
                if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
                    return Err(D::Error::custom("hexadecimal digits have to be lower-case"));
                }
                text.parse().map_err(D::Error::custom)
            }
        }
    };
}

hex_bytes! {
    /// Names an event: the hash of what it says.
    EventId, 32
}
hex_bytes! {
    /// Somebody's public key (BIP-340).
    PublicKey, 32
}
hex_bytes! {
    /// A signature (BIP-340).
    Signature, 64
}

/// Fills `bytes` from digits of either case; says whether they were that many digits.
fn decode(text: &str, bytes: &mut [u8]) -> bool {
    let digits = text.as_bytes();
    if digits.len() != bytes.len() * 2 {
        return false;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let [Some(high), Some(low)] = [pair[0], pair[1]].map(|digit| char::from(digit).to_digit(16)) else {
            return false;
        };
        // Two digits of four bits each.
        *byte = (high << 4 | low) as u8;
    }
    true
}

fn encode(bytes: &[u8], formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
}
