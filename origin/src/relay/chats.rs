//! Order in the chats: the rules of each live event, and when its people wrote last.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use nostr::Timestamp;
use skylark_protocol::{
    address::Address,
    event::{Event, PublicKey, kind},
    live_event::LiveEvent,
    moderation::{ChatRules, ChatSettings, Circumstances, MuteList, Objection},
    zap::Zap,
};

use super::{
    Rejected,
    limits::{MAX_CHATS, MAX_PACES},
    store::Store,
};
use crate::db::DbError;

/// The chats that were asked for lately.
#[derive(Debug, Default)]
pub(super) struct Chats {
    known: Mutex<Known>,
    /// When somebody's last message came, by live event and author.
    last: Mutex<HashMap<(Address, PublicKey), u64>>,
}

/// What is remembered of chats.
#[derive(Debug, Default)]
struct Known {
    chats: HashMap<Address, Chat>,
    /// Counts what was forgotten: what was read before that is not remembered after it.
    changes: u64,
}

/// What is known of one chat.
#[derive(Debug, Clone)]
struct Chat {
    rules: Arc<ChatRules>,
    /// Until when its live event is here, Unix seconds; none if it is not.
    here_until: Option<u64>,
}

impl Chats {
    /// The rules of a live event's chat.
    pub(super) async fn rules(&self, store: &Store, stream: &Address) -> Result<Arc<ChatRules>, DbError> {
        let changes = {
            let known = lock(&self.known);
            if let Some(chat) = known.chats.get(stream) {
                return Ok(Arc::clone(&chat.rules));
            }
            known.changes
        };
        let chat = load(store, stream).await?;
        let rules = Arc::clone(&chat.rules);
        let mut known = lock(&self.known);
        if known.changes == changes {
            if known.chats.len() >= MAX_CHATS {
                known.chats.clear();
            }
            known.chats.insert(stream.clone(), chat);
        }
        Ok(rules)
    }

    /// Whether a live event is here.
    pub(super) async fn has_live_event(&self, store: &Store, stream: &Address) -> Result<bool, DbError> {
        let here_until = lock(&self.known).chats.get(stream).map(|chat| chat.here_until);
        match here_until {
            Some(Some(until)) if until > Timestamp::now().as_secs() => Ok(true),
            // It may have come this moment.
            _ => store.has_address(stream).await,
        }
    }

    /// Forgets what an event may have changed. Answers the live event whose host or moderators may have removed
    /// something with it.
    pub(super) fn forget(&self, event: &Event) -> Option<Address> {
        match event.kind {
            kind::LIVE_EVENT | kind::MUTE_LIST | kind::DELETION => {
                lock(&self.known)
                    .forget(|stream, rules| stream.pubkey == event.pubkey || rules.keeps_order(&event.pubkey));
            }
            kind::APPLICATION_DATA => {
                let identifier = ChatSettings::read(event).ok()?.identifier;
                lock(&self.known).forget(|stream, _| stream.identifier == identifier);
                let named = event.tags.iter().filter(|tag| tag.first().is_some_and(|name| name == "a"));
                let mut named = named.filter_map(|tag| tag.get(1)?.parse::<Address>().ok());
                let named = named.find(|stream| stream.identifier == identifier && stream.kind == kind::LIVE_EVENT);
                return named.or_else(|| Some(Address::live_event(event.pubkey, &identifier)));
            }
            _ => {}
        }
        None
    }

    /// Whether a message or a reaction may stand in a chat; `at` is when it was written.
    pub(super) async fn judge(&self, store: &Store, stream: &Address, event: &Event, at: u64) -> Result<(), Rejected> {
        let rules = self.rules(store, stream).await?;
        match event.kind {
            kind::CHAT => {
                let is_follower =
                    rules.settings().is_followers_only && store.follows(&event.pubkey, &stream.pubkey).await?;
                let key = (stream.clone(), event.pubkey);
                let mut last = lock(&self.last);
                if last.len() >= MAX_PACES && !last.contains_key(&key) {
                    let oldest = at.saturating_sub(u64::from(ChatSettings::MAX_SLOW_S));
                    last.retain(|_, written| *written > oldest);
                    if last.len() >= MAX_PACES {
                        last.clear();
                    }
                }
                // What comes from outside may come in any order: what counts is how far apart two messages are.
                let last_message_at = last.get(&key).map(|last| at.saturating_sub(at.abs_diff(*last)));
                let circumstances = Circumstances { last_message_at, now: at, is_follower };
                rules.judge_message(&event.id, &event.pubkey, &event.content, circumstances)?;
                last.entry(key).and_modify(|last| *last = at.max(*last)).or_insert(at);
                Ok(())
            }
            kind::ZAP_RECEIPT => {
                let zap = Zap::read(event).map_err(|error| Rejected::invalid(error.to_string()))?;
                Ok(rules.judge_zap(&zap)?)
            }
            kind::REACTION => Ok(rules.judge_reaction(&event.id, &event.pubkey)?),
            _ => Ok(rules.judge(&event.id, &event.pubkey)?),
        }
    }
}

impl Known {
    fn forget(&mut self, is_changed: impl Fn(&Address, &ChatRules) -> bool) {
        self.chats.retain(|stream, chat| !is_changed(stream, &chat.rules));
        self.changes += 1;
    }
}

impl From<Objection> for Rejected {
    fn from(objection: Objection) -> Self {
        match objection {
            Objection::TooSoon { .. } => Self::rate_limited(objection.to_string()),
            Objection::TooLong | Objection::Empty => Self::invalid(objection.to_string()),
            Objection::FollowersOnly => Self::restricted(objection.to_string()),
            _ => Self::blocked(objection.to_string()),
        }
    }
}

async fn load(store: &Store, stream: &Address) -> Result<Chat, DbError> {
    let event = async |address: &Address| -> Result<Option<Event>, DbError> {
        // What is stored was read once already.
        Ok(store.newest(address).await?.and_then(|json| serde_json::from_str(&json).ok()))
    };
    let announced = event(stream).await?;
    let here_until = announced.as_ref().map(|event| event.expires_at().unwrap_or(u64::MAX));
    let live = announced.and_then(|event| LiveEvent::read(&event).ok());
    let host = live.as_ref().map_or(stream.pubkey, LiveEvent::host);
    let announced: Vec<PublicKey> =
        live.iter().flat_map(LiveEvent::moderators).take(ChatSettings::MAX_MODERATORS).collect();
    let settings = event(&ChatSettings::address(host, &stream.identifier)).await?;
    let settings = settings.and_then(|event| ChatSettings::read(&event).ok());
    let settings = settings.unwrap_or_else(|| ChatSettings::new(&stream.identifier));
    let mutes = Address { kind: kind::MUTE_LIST, pubkey: host, identifier: String::new() };
    let mute_list = event(&mutes).await?.and_then(|event| MuteList::read(&event).ok());
    let mut moderators = Vec::new();
    for moderator in settings.moderators.iter().chain(&announced) {
        let theirs = event(&ChatSettings::address(*moderator, &stream.identifier)).await?;
        moderators.extend(theirs.and_then(|event| ChatSettings::read(&event).ok()).map(|theirs| (*moderator, theirs)));
    }
    let rules = Arc::new(ChatRules::new(host, settings, mute_list, announced, moderators));
    Ok(Chat { rules, here_until })
}

/// The maps are whole after every statement: a panic elsewhere does not spoil them.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
impl Chats {
    /// Lets everybody write at once.
    pub(super) fn forget_pace(&self) {
        lock(&self.last).clear();
    }
}
