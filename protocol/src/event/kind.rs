//! Numbers of the kinds of events that Skylark knows.

/// Profile (NIP-01).
pub const PROFILE: u16 = 0;
/// Contacts: whom somebody follows (NIP-02).
pub const CONTACTS: u16 = 3;
/// Deletion request (NIP-09).
pub const DELETION: u16 = 5;
/// Reaction (NIP-25).
pub const REACTION: u16 = 7;
/// Chat message of a live event (NIP-53).
pub const CHAT: u16 = 1311;
/// One live event sends its viewers to another; no NIP has it.
pub const RAID: u16 = 1312;
/// Cut out of a live event; no NIP has it.
pub const CLIP: u16 = 1313;
/// Report (NIP-56).
pub const REPORT: u16 = 1984;
/// Zap goal (NIP-75).
pub const ZAP_GOAL: u16 = 9041;
/// Request for a zap (NIP-57).
pub const ZAP_REQUEST: u16 = 9734;
/// Receipt of a zap (NIP-57).
pub const ZAP_RECEIPT: u16 = 9735;
/// Mute list (NIP-51).
pub const MUTE_LIST: u16 = 10_000;
/// Relays that somebody reads and writes (NIP-65).
pub const RELAY_LIST: u16 = 10_002;
/// Presence in a live event's room (NIP-53).
pub const PRESENCE: u16 = 10_312;
/// Client authentication to a relay (NIP-42).
pub const AUTHENTICATION: u16 = 22_242;
/// Sender of an HTTP request (NIP-98).
pub const HTTP_AUTHENTICATION: u16 = 27_235;
/// Application data (NIP-78): Skylark keeps a stream's chat settings in it.
pub const APPLICATION_DATA: u16 = 30_078;
/// Live event (NIP-53).
pub const LIVE_EVENT: u16 = 30_311;

/// Whether of each author there is only the newest (NIP-01).
#[must_use]
pub const fn is_replaceable(kind: u16) -> bool {
    matches!(kind, 0 | 3 | 10_000..=19_999)
}

/// Whether relays pass it on and do not keep it (NIP-01).
#[must_use]
pub const fn is_ephemeral(kind: u16) -> bool {
    matches!(kind, 20_000..=29_999)
}

/// Whether of each author and `d` tag there is only the newest (NIP-01).
#[must_use]
pub const fn is_addressable(kind: u16) -> bool {
    matches!(kind, 30_000..=39_999)
}
