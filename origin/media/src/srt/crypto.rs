//! Key material (draft-sharabayko-srt-01 §3.2.2, §6) and data packets in clear.

use std::fmt;

use bytes::{Bytes, BytesMut};
use srt_protocol::{
    packet::{Auth, CipherType, DataEncryption, KeyFlags, KeyingMaterialMessage, PacketType, SeqNumber},
    settings::{KeySettings, KeySize, Passphrase, StreamEncryptionKeys},
};

use super::{
    handshake::Rejection,
    packet::{KeySlot, Sequence},
};

/// Fixed fields before salt and keys.
const HEADER: usize = 16;
const SALT: usize = 16;
/// Integrity check before the wrapped keys.
const CHECK: usize = 8;
/// `S`, `V` and `PT` of a key material message, and its signature.
const MAGIC: [u8; 3] = [0x12, 0x20, 0x29];
const CIPHER_AES_CTR: u8 = 2;
const ENCAPSULATION_SRT: u8 = 2;

/// A key material message that is whole and of a kind that can be unwrapped.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyMaterial {
    message: Bytes,
    slots: KeyFlags,
    size: KeySize,
}

impl fmt::Debug for KeyMaterial {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "KeyMaterial({} bits)", self.size.as_usize() * 8)
    }
}

impl KeyMaterial {
    /// Reads a message; `None` if it is not whole, or not AES in counter mode with 128, 192 or 256 bits.
    #[must_use]
    pub fn parse(message: &[u8]) -> Option<Self> {
        let header = message.first_chunk::<HEADER>()?;
        let (slots, key_length) = (header[3] & 0b11, header[15]);
        let well_formed = header[..3] == MAGIC
            && header[8] == CIPHER_AES_CTR
            && header[9] == 0
            && header[10] == ENCAPSULATION_SRT
            && usize::from(header[14]) * 4 == SALT;
        let size = match key_length {
            4 => KeySize::AES128,
            6 => KeySize::AES192,
            8 => KeySize::AES256,
            _ => return None,
        };
        let slots = KeyFlags::from_bits(slots).filter(|slots| !slots.is_empty())?;
        let keys = slots.bits().count_ones() as usize * size.as_usize();
        (well_formed && message.len() == HEADER + SALT + CHECK + keys).then(|| Self {
            message: Bytes::copy_from_slice(message),
            slots,
            size,
        })
    }

    /// The message as it came: also the answer that accepts it.
    #[must_use]
    pub fn message(&self) -> &Bytes {
        &self.message
    }

    /// Key length as a handshake tells it: in units of 8 bytes.
    #[must_use]
    pub fn size_code(&self) -> u16 {
        u16::from(self.size.as_raw() / 8)
    }

    /// Unwraps the keys. Deriving the wrapping key takes milliseconds: not for the loop that serves everybody.
    ///
    /// # Errors
    /// [`Rejection::BadSecret`] if the passphrase is not the sender's.
    pub fn unlock(&self, passphrase: &str) -> Result<Keys, Rejection> {
        let newest = self.unwrap(passphrase).ok_or(Rejection::BadSecret)?;
        Ok(Keys { passphrase: passphrase.to_owned(), material: self.clone(), newest, previous: None })
    }

    fn unwrap(&self, passphrase: &str) -> Option<StreamEncryptionKeys> {
        let passphrase = Passphrase::try_from(passphrase.to_owned()).ok()?;
        let settings = KeySettings { key_size: self.size, passphrase };
        let message = KeyingMaterialMessage {
            pt: PacketType::KeyingMaterial,
            key_flags: self.slots,
            keki: 0,
            cipher: CipherType::Ctr,
            auth: Auth::None,
            salt: self.message.get(HEADER..HEADER + SALT)?.to_vec(),
            wrapped_keys: self.message.get(HEADER + SALT..)?.to_vec(),
        };
        StreamEncryptionKeys::unwrap_from(&settings, &message).ok()
    }
}

/// The keys of a session. Prints as nothing that would help anybody.
#[derive(Clone)]
pub struct Keys {
    passphrase: String,
    material: KeyMaterial,
    newest: StreamEncryptionKeys,
    /// Still in use for packets sent before the last refresh.
    previous: Option<StreamEncryptionKeys>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Keys({} bits)", self.material.size.as_usize() * 8)
    }
}

impl Keys {
    /// The message that they came in.
    #[must_use]
    pub fn material(&self) -> &KeyMaterial {
        &self.material
    }

    /// Takes the sender's next keys.
    ///
    /// # Errors
    /// [`Rejection::BadSecret`] if they are wrapped with another passphrase.
    pub fn refresh(&mut self, material: KeyMaterial) -> Result<(), Rejection> {
        if material != self.material {
            let newest = material.unwrap(&self.passphrase).ok_or(Rejection::BadSecret)?;
            self.previous = Some(std::mem::replace(&mut self.newest, newest));
            self.material = material;
        }
        Ok(())
    }

    /// A payload in clear; `None` without its key.
    #[must_use]
    pub fn decrypt(&self, slot: KeySlot, sequence: Sequence, payload: Bytes) -> Option<Bytes> {
        let slot = match slot {
            KeySlot::Even => DataEncryption::Even,
            KeySlot::Odd => DataEncryption::Odd,
        };
        let sequence = SeqNumber::new_truncate(sequence.get());
        let mut payload = payload.try_into_mut().unwrap_or_else(|shared| BytesMut::from(shared.as_ref()));
        let used = self.newest.decrypt(slot, sequence, &mut payload).or_else(|| {
            let previous = self.previous.as_ref()?;
            previous.decrypt(slot, sequence, &mut payload)
        });
        used.map(|_| payload.freeze())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::srt::tests::key_material;

    const PASSPHRASE: &str = "correct horse battery";

    #[test]
    fn keys_are_unlocked_by_their_passphrase_alone() {
        for size in [KeySize::AES128, KeySize::AES192, KeySize::AES256] {
            let (material, keys) = key_material(size, PASSPHRASE);
            let unlocked = material.unlock(PASSPHRASE).unwrap();
            let mut secret = *b"a picture";
            keys.encrypt(DataEncryption::Odd, SeqNumber::new_truncate(77), &mut secret).unwrap();
            let clear = unlocked.decrypt(KeySlot::Odd, Sequence::new(77), Bytes::copy_from_slice(&secret));
            assert_eq!(clear.as_deref(), Some(&b"a picture"[..]));
            assert_eq!(material.unlock("correct horse batterx").unwrap_err(), Rejection::BadSecret);
            assert_eq!(material.unlock("short").unwrap_err(), Rejection::BadSecret);
            assert!(!format!("{unlocked:?} {material:?}").contains("horse"));
        }
    }

    proptest! {
        #[test]
        fn damaged_messages_are_refused(at in 0usize..72, bit in 0u8..8) {
            let (material, _) = key_material(KeySize::AES128, PASSPHRASE);
            let mut message = material.message().to_vec();
            message[at] ^= 1 << bit;
            // Reserved bits and the key index carry nothing; the first half of the salt goes into packets only.
            let reserved = matches!(at, 3..=7 | 11..=13 | 16..=23) && (at > 3 || bit > 1);
            match KeyMaterial::parse(&message) {
                Some(damaged) => prop_assert!(reserved || damaged.unlock(PASSPHRASE).is_err()),
                None => prop_assert!(!reserved),
            }
        }
    }
}
