//! What a client may ask of the relay, by name.

use std::time::Duration;

/// Clients at once.
pub(super) const MAX_CLIENTS: usize = 8192;
/// Largest message, bytes.
pub(super) const MAX_MESSAGE_BYTES: usize = 128 * 1024;
/// Subscriptions of one client.
pub(super) const MAX_SUBSCRIPTIONS: usize = 50;
/// Longest name of a subscription, characters.
pub(super) const MAX_SUBSCRIPTION_ID_CHARS: usize = 64;
/// Filters of one request.
pub(super) const MAX_FILTERS: usize = 10;
/// Values (ids, authors, kinds, tags) of one filter.
pub(super) const MAX_FILTER_VALUES: usize = 1000;
/// Tags that one filter may combine.
pub(super) const MAX_FILTER_TAGS: usize = 5;
/// Stored events that one filter brings.
pub(super) const MAX_FILTER_LIMIT: usize = 1000;
/// Stored events that one filter without a limit brings.
pub(super) const DEFAULT_FILTER_LIMIT: usize = 500;
/// Counting ends here.
pub(super) const MAX_COUNT: usize = 10_000;

/// Tags of one event.
pub(super) const MAX_TAGS: usize = 2000;
/// Longest element of a tag, bytes. The request of a zap has to fit.
pub(super) const MAX_TAG_BYTES: usize = 16 * 1024;
/// Longest content, bytes.
pub(super) const MAX_CONTENT_BYTES: usize = 64 * 1024;
/// How far ahead of the clock an event may be dated, seconds.
pub(super) const FUTURE_LIMIT_S: u64 = 10 * 60;
/// How old an event may be that nothing replaces, seconds.
pub(super) const PAST_LIMIT_S: u64 = 2 * 365 * 24 * 60 * 60;

/// Messages of one client: so many at once, and then so many a second.
pub(super) const MESSAGE_BURST: u32 = 200;
/// See [`MESSAGE_BURST`].
pub(super) const MESSAGES_PER_S: u32 = 50;
/// Events of one key at once; how many a minute is configured.
pub(super) const KEY_BURST: u32 = 30;
/// Events that refer to one live event: so many at once, and then so many a second.
pub(super) const ADDRESS_BURST: u32 = 1000;
/// See [`ADDRESS_BURST`].
pub(super) const ADDRESS_EVENTS_PER_S: u32 = 100;
/// Keys and addresses whose pace is remembered.
pub(super) const MAX_PACES: usize = 50_000;

/// Keys that one client may be authenticated as.
pub(super) const MAX_AUTHENTICATED: usize = 16;
/// How far from the clock an authentication may be dated, seconds.
pub(super) const AUTHENTICATION_WINDOW_S: u64 = 10 * 60;
/// Published events that may wait for one client; a client for whom more wait is too slow, and is closed.
pub(super) const BROADCAST_QUEUE: usize = 4096;
/// A client is asked for a sign of life at this distance, and closed if none came since the last time.
pub(super) const PING_INTERVAL: Duration = Duration::from_secs(30);
/// A client who does not take a message for so long is closed.
pub const SEND_LIMIT: Duration = Duration::from_secs(20);
/// Distance of clean-ups.
pub(super) const CLEANUP_INTERVAL: Duration = Duration::from_secs(60);
/// Live events whose rules are remembered.
pub(super) const MAX_CHATS: usize = 1000;
