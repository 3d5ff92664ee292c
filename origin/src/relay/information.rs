//! What the relay says of itself (NIP-11).

use serde::Serialize;

use super::limits::{
    DEFAULT_FILTER_LIMIT, FUTURE_LIMIT_S, MAX_CONTENT_BYTES, MAX_FILTER_LIMIT, MAX_MESSAGE_BYTES,
    MAX_SUBSCRIPTION_ID_CHARS, MAX_SUBSCRIPTIONS, MAX_TAGS, PAST_LIMIT_S,
};

/// NIPs that the relay keeps to.
const SUPPORTED_NIPS: [u16; 10] = [1, 9, 11, 25, 40, 42, 45, 53, 57, 70];
/// Where the program is from.
const SOFTWARE: &str = env!("CARGO_PKG_NAME");

/// What its operator says of the relay.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Information {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// How to reach whoever runs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    information: &'a Information,
    supported_nips: [u16; SUPPORTED_NIPS.len()],
    software: &'static str,
    version: &'static str,
    limitation: Limitation,
}

#[derive(Serialize)]
struct Limitation {
    max_message_length: usize,
    max_subscriptions: usize,
    max_limit: usize,
    default_limit: usize,
    max_subid_length: usize,
    max_event_tags: usize,
    max_content_length: usize,
    min_pow_difficulty: u8,
    auth_required: bool,
    payment_required: bool,
    restricted_writes: bool,
    created_at_lower_limit: u64,
    created_at_upper_limit: u64,
}

impl Information {
    pub(super) fn to_json(&self) -> String {
        let limitation = Limitation {
            max_message_length: MAX_MESSAGE_BYTES,
            max_subscriptions: MAX_SUBSCRIPTIONS,
            max_limit: MAX_FILTER_LIMIT,
            default_limit: DEFAULT_FILTER_LIMIT,
            max_subid_length: MAX_SUBSCRIPTION_ID_CHARS,
            max_event_tags: MAX_TAGS,
            max_content_length: MAX_CONTENT_BYTES,
            min_pow_difficulty: 0,
            auth_required: false,
            payment_required: false,
            restricted_writes: true,
            created_at_lower_limit: PAST_LIMIT_S,
            created_at_upper_limit: FUTURE_LIMIT_S,
        };
        let version = env!("CARGO_PKG_VERSION");
        let document =
            Document { information: self, supported_nips: SUPPORTED_NIPS, software: SOFTWARE, version, limitation };
        serde_json::to_string(&document).unwrap_or_default()
    }
}
