//! Messages that the host has pinned, which may be older than all that the page asked for.

use std::sync::Arc;

use leptos::prelude::*;
use skylark_protocol::{
    chat::ChatMessage,
    event::{EventId, kind},
};

use super::{Inner, Room};
use crate::{
    chat::log::Line,
    relay::{Filter, News},
};

/// Pinned messages that are shown: the newest.
const MAX_SHOWN: usize = 3;

impl Room {
    /// Asks for the messages that an announcement pins.
    pub(super) fn ask_for_pinned(self, ids: &[EventId]) {
        let (old, is_known) = self.with(|inner| (inner.asked.take(), inner.pinned == ids));
        if is_known {
            return self.with(|inner| inner.asked = old);
        }
        if let Some(old) = old {
            self.relay.end(old);
        }
        let asked = (!ids.is_empty()).then(|| {
            let filter = Filter { ids: ids.to_vec(), kinds: vec![kind::CHAT], ..Filter::default() };
            self.relay.subscribe(vec![filter], move |update| {
                if let News::Event(event) = update
                    && let Ok(message) = ChatMessage::read(&event)
                    && self.stream() == message.stream
                {
                    self.with(|inner| inner.keep_pin(message));
                    self.gather();
                }
            })
        });
        self.with(|inner| {
            (inner.asked, inner.pinned) = (asked, ids.to_vec());
            inner.pins.retain(|message| ids.contains(&message.id));
        });
    }

    /// What is pinned, as far as it is there and may stand, newest pin first; tracked.
    pub(crate) fn pinned(self) -> Vec<Arc<ChatMessage>> {
        self.tallied.track();
        self.announcement.track();
        self.with(|inner| {
            let find = |id: &EventId| match inner.log.find(id) {
                Some(Line::Message(message)) => Some(message),
                _ => inner.pins.iter().find(|message| message.id == *id).cloned(),
            };
            let may_stand = |message: &Arc<ChatMessage>| inner.log.may_stand(&Line::Message(message.clone()));
            inner.pinned.iter().rev().filter_map(find).filter(may_stand).take(MAX_SHOWN).collect()
        })
    }

    /// Whether a message is pinned; tracked.
    pub(crate) fn is_pinned(self, id: &EventId) -> bool {
        self.announcement.with(|event| event.as_ref().is_some_and(|event| event.pinned.contains(id)))
    }
}

impl Inner {
    fn keep_pin(&mut self, message: ChatMessage) {
        if self.pinned.contains(&message.id) && self.pins.iter().all(|known| known.id != message.id) {
            self.pins.push(Arc::new(message));
        }
    }
}
