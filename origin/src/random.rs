//! Random names.

use skylark_protocol::StreamId;

/// `len` random characters of `[a-z0-9]`, each equally likely.
///
/// # Errors
/// When the system gives no random bytes.
pub(crate) fn lowercase(len: usize) -> Result<String, getrandom::Error> {
    let alphabet = StreamId::ALPHABET;
    let fair = u8::MAX - u8::MAX % alphabet.len() as u8;
    let mut text = String::with_capacity(len);
    let mut random = [0; 32];
    while text.len() < len {
        getrandom::fill(&mut random)?;
        let accepted = random
            .iter()
            .filter(|byte| **byte < fair)
            .filter_map(|byte| alphabet.get(usize::from(*byte) % alphabet.len()).copied().map(char::from));
        text.extend(accepted.take(len - text.len()));
    }
    Ok(text)
}
