use srt_protocol::settings::{KeySettings, KeySize, Passphrase, StreamEncryptionKeys};

use super::crypto::KeyMaterial;

/// Random keys, and the message that a caller would wrap them in.
pub(super) fn key_material(size: KeySize, passphrase: &str) -> (KeyMaterial, StreamEncryptionKeys) {
    let settings = KeySettings { key_size: size, passphrase: Passphrase::from(passphrase) };
    let keys = StreamEncryptionKeys::new_random(size);
    let wrapped = keys.wrap_with(&settings).unwrap();
    let mut message = vec![0x12, 0x20, 0x29, wrapped.key_flags.bits(), 0, 0, 0, 0, 2, 0, 2, 0, 0, 0, 4, 0];
    message[15] = size.as_raw() / 4;
    message.extend(&wrapped.salt);
    message.extend(&wrapped.wrapped_keys);
    (KeyMaterial::parse(&message).unwrap(), keys)
}
