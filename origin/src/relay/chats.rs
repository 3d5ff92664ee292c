//! Order in the chats: the rules of each live event, and when its people wrote last.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use skylark_protocol::{
    address::Address,
    event::{Event, PublicKey, kind},
    live_event::LiveEvent,
    moderation::{ChatRules, ChatSettings, Circumstances, MuteList, Objection},
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
    rules: Mutex<HashMap<Address, Arc<ChatRules>>>,
    /// When somebody's last message came, by live event and author.
    last: Mutex<HashMap<(Address, PublicKey), u64>>,
}

impl Chats {
    /// The rules of a live event's chat.
    pub(super) async fn rules(&self, store: &Store, stream: &Address) -> Result<Arc<ChatRules>, DbError> {
        if let Some(rules) = lock(&self.rules).get(stream) {
            return Ok(Arc::clone(rules));
        }
        let rules = Arc::new(load(store, stream).await?);
        let mut known = lock(&self.rules);
        if known.len() >= MAX_CHATS {
            known.clear();
        }
        known.insert(stream.clone(), Arc::clone(&rules));
        Ok(rules)
    }

    /// Forgets what an event may have changed. Answers the live event whose host or moderators may have removed
    /// something with it.
    pub(super) fn forget(&self, event: &Event) -> Option<Address> {
        match event.kind {
            kind::LIVE_EVENT | kind::MUTE_LIST => lock(&self.rules).retain(|stream, _| stream.pubkey != event.pubkey),
            kind::APPLICATION_DATA => {
                let identifier = ChatSettings::read(event).ok()?.identifier;
                lock(&self.rules).retain(|stream, _| stream.identifier != identifier);
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
            kind::REACTION => Ok(rules.judge_reaction(&event.id, &event.pubkey)?),
            _ => Ok(rules.judge(&event.id, &event.pubkey)?),
        }
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

async fn load(store: &Store, stream: &Address) -> Result<ChatRules, DbError> {
    let event = async |address: &Address| -> Result<Option<Event>, DbError> {
        // What is stored was read once already.
        Ok(store.newest(address).await?.and_then(|json| serde_json::from_str(&json).ok()))
    };
    let live = event(stream).await?.and_then(|event| LiveEvent::read(&event).ok());
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
    Ok(ChatRules::new(host, settings, mute_list, announced, moderators))
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
