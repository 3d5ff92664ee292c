//! One stream's chat: what the relay sends goes into the [`Log`], what people do goes out signed.
//!
//! `mutes`: whom the viewer does not want to hear; `pins`: what the host has pinned.

mod mutes;
mod pins;

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, sync::Arc, time::Duration};

use leptos::prelude::*;
use skylark_protocol::{
    address::Address,
    chat::ChatMessage,
    event::{Event, EventId, PublicKey, UnsignedEvent, kind, update_time},
    live_event::{LiveEvent, LiveEventDraft},
    moderation::{ChatRules, ChatSettings, Deletion, MuteList, Report},
    reaction::Reaction,
    zap::Zap,
};

use super::log::{Line, Log, Place, Tally, symbol};
use crate::{
    clock::now_s,
    engine,
    identity::Identity,
    relay::{Filter, News, Relay, SubscriptionId},
};

/// Messages asked for when the page opens.
const HISTORY: u32 = 100;
/// Reactions and zaps asked for then.
const HISTORY_BESIDE: u32 = 200;
/// What arrives is shown together after so long: a flood costs as much as a trickle.
const GATHER: Duration = Duration::from_millis(50);
/// What is dated further ahead is not believed: it would stand below all that follows. Seconds.
const AHEAD_MAX_S: u64 = 600;
/// Reactions older than this are counted and do not float, seconds.
const FRESH_S: u64 = 15;

/// One chat. A handle: copies speak of the same one.
#[derive(Clone, Copy)]
pub(crate) struct Room {
    relay: Relay,
    identity: Identity,
    stream: StoredValue<Address>,
    inner: StoredValue<Rc<RefCell<Inner>>, LocalStorage>,
    /// What is shown.
    pub(crate) lines: RwSignal<Vec<Line>>,
    /// Lines that came since the viewer scrolled up.
    pub(crate) unseen: RwSignal<usize>,
    /// What was said before is there.
    pub(crate) loaded: RwSignal<bool>,
    pub(crate) rules: RwSignal<ChatRules>,
    /// The newest announcement of the stream.
    pub(crate) announcement: RwSignal<Option<LiveEvent>>,
    pub(crate) reply_to: RwSignal<Option<Arc<ChatMessage>>>,
    /// What was given so far, in millisatoshi.
    pub(crate) zapped_msat: RwSignal<u64>,
    /// How many people the viewer does not see.
    pub(crate) hidden: RwSignal<usize>,
    /// Changes when a line's reactions may have.
    tallied: RwSignal<u32>,
}

struct Inner {
    log: Log,
    /// The viewer reads further up: nothing moves below this.
    held_at: Option<Place>,
    gathering: bool,
    announcement: Option<Event>,
    settings: BTreeMap<PublicKey, Event>,
    /// A change of them is being signed.
    changing: bool,
    mute_list: Option<Event>,
    /// The viewer's own mute list.
    own_list: Option<Event>,
    /// Messages that the host has pinned, and those of them that are not in the log.
    pinned: Vec<EventId>,
    pins: Vec<Arc<ChatMessage>>,
    asked: Option<SubscriptionId>,
}

impl Room {
    /// Opens the chat of a stream, until the page that asked for it goes.
    pub(crate) fn open(stream: Address) -> Self {
        let rules = ChatRules::new(stream.pubkey, ChatSettings::new(&stream.identifier), None, [], []);
        let mut log = Log::default();
        let hidden = mutes::hidden();
        hidden.iter().for_each(|pubkey| log.mute(*pubkey));
        let inner = Inner {
            log,
            held_at: None,
            gathering: false,
            announcement: None,
            settings: BTreeMap::new(),
            changing: false,
            mute_list: None,
            own_list: None,
            pinned: Vec::new(),
            pins: Vec::new(),
            asked: None,
        };
        let room = Self {
            relay: Relay::get(),
            identity: Identity::get(),
            stream: StoredValue::new(stream),
            inner: StoredValue::new_local(Rc::new(RefCell::new(inner))),
            lines: RwSignal::new(Vec::new()),
            unseen: RwSignal::new(0),
            loaded: RwSignal::new(false),
            rules: RwSignal::new(rules),
            announcement: RwSignal::new(None),
            reply_to: RwSignal::new(None),
            zapped_msat: RwSignal::new(0),
            hidden: RwSignal::new(hidden.len()),
            tallied: RwSignal::new(0),
        };
        let subscription = room.relay.subscribe(room.filters(), move |update| match update {
            News::Event(event) => room.take(event),
            News::Stored => {
                room.with(|inner| inner.log.begin());
                room.loaded.set(true);
            }
            News::Closed(_) => {}
        });
        on_cleanup(move || {
            room.relay.end(subscription);
            if let Some(asked) = room.with(|inner| inner.asked.take()) {
                room.relay.end(asked);
            }
        });
        room.follow_own_list();
        room
    }

    fn filters(self) -> Vec<Filter> {
        let stream = self.stream.get_value();
        let about = |kinds: &[u16], limit| Filter {
            kinds: kinds.to_vec(),
            addresses: vec![stream.to_string()],
            limit: Some(limit),
            ..Filter::default()
        };
        let by_host = |kind, identifiers| Filter {
            authors: vec![stream.pubkey],
            kinds: vec![kind],
            identifiers,
            ..Filter::default()
        };
        let settings = ChatSettings::address(stream.pubkey, &stream.identifier).identifier;
        // Other relays know of much else that is deleted.
        let deletions = match self.relay.is_outside() {
            true => about(&[kind::DELETION], HISTORY),
            false => Filter { kinds: vec![kind::DELETION], since: Some(now_s()), ..Filter::default() },
        };
        vec![
            // The rules first, so that nothing flashes up that they forbid.
            by_host(kind::MUTE_LIST, Vec::new()),
            by_host(kind::APPLICATION_DATA, vec![settings.clone()]),
            Filter { kinds: vec![kind::APPLICATION_DATA], identifiers: vec![settings], ..Filter::default() },
            by_host(kind::LIVE_EVENT, vec![stream.identifier.clone()]),
            about(&[kind::CHAT], HISTORY),
            about(&[kind::REACTION, kind::ZAP_RECEIPT], HISTORY_BESIDE),
            deletions,
        ]
    }

    /// The stream that is talked about.
    pub(crate) fn stream(self) -> Address {
        self.stream.get_value()
    }

    /// Where it can be found.
    pub(crate) fn relay_url(self) -> String {
        self.relay.url()
    }

    fn take(self, event: Event) {
        if event.created_at > now_s().saturating_add(AHEAD_MAX_S) {
            return;
        }
        let is_here = |stream: Option<&Address>| self.stream.with_value(|here| stream == Some(here));
        match event.kind {
            kind::CHAT => {
                if let Ok(message) = ChatMessage::read(&event)
                    && is_here(Some(&message.stream))
                {
                    self.add(Line::Message(Arc::new(message)));
                }
            }
            kind::ZAP_RECEIPT => {
                if let Ok(zap) = Zap::read(&event)
                    && is_here(zap.stream.as_ref())
                {
                    self.add(Line::Zap(Arc::new(zap)));
                }
            }
            kind::REACTION => {
                if let Ok(reaction) = Reaction::read(&event) {
                    self.take_reaction(&reaction);
                }
            }
            kind::DELETION => {
                if let Ok(deletion) = Deletion::read(&event) {
                    self.with(|inner| inner.log.delete(deletion.author, &deletion.events));
                    self.gather();
                }
            }
            kind::LIVE_EVENT => self.take_announcement(event),
            kind::MUTE_LIST if event.pubkey != self.stream().pubkey => self.take_own_list(event),
            kind::APPLICATION_DATA | kind::MUTE_LIST => self.take_wishes(event),
            _ => {}
        }
    }

    fn add(self, line: Line) {
        if self.with(|inner| inner.log.add(line)) {
            self.gather();
        }
    }

    fn take_reaction(self, reaction: &Reaction) {
        let Some(target) = reaction.target else { return };
        if self.rules.with_untracked(|rules| rules.judge_reaction(&reaction.id, &reaction.author).is_err()) {
            return;
        }
        // One's own comes back from the relay.
        if !self.with(|inner| inner.log.is_new(reaction.id)) {
            return;
        }
        let (is_to_line, is_new) = self.with(|inner| {
            let is_to_line = inner.log.knows(&target);
            if is_to_line {
                inner.log.react(target, reaction.author, &reaction.mood);
            }
            (is_to_line, inner.log.has_begun())
        });
        let is_fresh = is_new && reaction.created_at.abs_diff(now_s()) <= FRESH_S;
        if is_to_line {
            self.gather();
        } else if is_fresh && let Some(symbol) = symbol(&reaction.mood) {
            engine::float(&symbol);
        }
    }

    fn take_announcement(self, event: Event) {
        let Ok(announced) = LiveEvent::read(&event) else { return };
        if self.stream.with_value(|stream| announced.address != *stream) {
            return;
        }
        let is_newer = self.with(|inner| {
            let is_newer = inner.announcement.as_ref().is_none_or(|old| event.replaces(old));
            if is_newer {
                inner.announcement = Some(event);
            }
            is_newer
        });
        if is_newer {
            self.ask_for_pinned(&announced.pinned);
            self.announcement.set(Some(announced));
            self.apply_rules();
        }
    }

    fn take_wishes(self, event: Event) {
        self.with(|inner| {
            let kept = match event.kind {
                kind::MUTE_LIST => &mut inner.mute_list,
                _ => {
                    let is_known = inner.settings.contains_key(&event.pubkey);
                    let is_host = self.stream.with_value(|stream| stream.pubkey == event.pubkey);
                    if !is_known && !is_host && inner.settings.len() > ChatSettings::MAX_MODERATORS {
                        return;
                    }
                    if inner.settings.get(&event.pubkey).is_none_or(|old| event.replaces(old)) {
                        inner.settings.insert(event.pubkey, event);
                    }
                    return;
                }
            };
            if kept.as_ref().is_none_or(|old| event.replaces(old)) {
                *kept = Some(event);
            }
        });
        self.apply_rules();
    }

    /// Makes the rules anew from what host and moderators have said.
    fn apply_rules(self) {
        let host = self.stream.with_value(|stream| stream.pubkey);
        let announced = self.announcement.with_untracked(|event| {
            event.as_ref().map(|event| event.moderators().collect::<Vec<_>>()).unwrap_or_default()
        });
        let rules = self.with(|inner| {
            let read = |event: &Event| ChatSettings::read(event).ok();
            let settings = inner.settings.get(&host).and_then(read).unwrap_or_else(|| self.no_settings());
            let mute_list = inner.mute_list.as_ref().and_then(|event| MuteList::read(event).ok());
            let others = inner.settings.values().filter(|event| event.pubkey != host);
            let others: Vec<_> = others.filter_map(|event| Some((event.pubkey, read(event)?))).collect();
            let rules = ChatRules::new(host, settings, mute_list, announced, others);
            inner.log.set_rules(rules.clone());
            rules
        });
        self.rules.set(rules);
        self.gather();
    }

    fn no_settings(self) -> ChatSettings {
        self.stream.with_value(|stream| ChatSettings::new(&stream.identifier))
    }

    /// Shows what has come, in a moment.
    fn gather(self) {
        if !self.with(|inner| std::mem::replace(&mut inner.gathering, true)) {
            set_timeout(move || self.show(), GATHER);
        }
    }

    fn show(self) {
        // The chat may have been left meanwhile.
        let Some(inner) = self.inner.try_get_value() else { return };
        let (lines, unseen, zapped_msat) = {
            let mut inner = inner.borrow_mut();
            inner.gathering = false;
            let unseen = inner.held_at.map_or(0, |place| inner.log.count_after(place));
            (inner.log.until(inner.held_at), unseen, inner.log.zapped_msat())
        };
        if self.lines.with_untracked(|old| *old != lines) {
            self.lines.set(lines);
        }
        self.unseen.set(unseen);
        self.zapped_msat.set(zapped_msat);
        self.tallied.update(|version| *version = version.wrapping_add(1));
    }

    /// The viewer reads further up, or is back at the newest line.
    pub(crate) fn follow(self, follows: bool) {
        let changed = self.with(|inner| {
            let changed = inner.held_at.is_none() != follows;
            if changed {
                inner.held_at = if follows { None } else { inner.log.last() };
            }
            changed
        });
        if changed {
            self.show();
        }
    }

    /// What people felt about a line; tracked.
    pub(crate) fn tally(self, line: &EventId) -> Tally {
        self.tallied.track();
        self.with(|inner| inner.log.tally(line))
    }

    /// A line that another answers.
    pub(crate) fn find(self, id: &EventId) -> Option<Line> {
        self.tallied.track();
        self.with(|inner| inner.log.find(id))
    }

    /// Says something.
    pub(crate) async fn say(self, content: &str) -> Result<(), String> {
        let reply_to = self.reply_to.get_untracked();
        let relay = self.relay.url();
        let stream = self.stream();
        self.publish(|author| ChatMessage::unsigned(author, now_s(), &stream, &relay, content, reply_to.as_deref()))
            .await?;
        self.reply_to.try_set(None);
        Ok(())
    }

    /// Feels something about the stream.
    pub(crate) async fn react(self, symbol: &str) -> Result<(), String> {
        let announcement = self.with(|inner| inner.announcement.as_ref().map(|event| event.id));
        let announcement = announcement.ok_or("The stream has not been announced yet.")?;
        let stream = self.stream();
        self.publish(|author| Reaction::to_stream(author, now_s(), &stream, &announcement, symbol)).await
    }

    /// Feels something about a message.
    pub(crate) async fn react_to(self, message: &ChatMessage, symbol: &str) -> Result<(), String> {
        let tags = [
            ["e", &message.id.to_string()],
            ["p", &message.author.to_string()],
            ["a", &message.stream.to_string()],
            ["k", &kind::CHAT.to_string()],
        ];
        let tags: Vec<Vec<String>> = tags.into_iter().map(|tag| tag.map(str::to_owned).to_vec()).collect();
        let unsigned = |pubkey| UnsignedEvent {
            pubkey,
            created_at: now_s(),
            kind: kind::REACTION,
            tags: tags.clone(),
            content: symbol.to_owned(),
        };
        self.publish(unsigned).await
    }

    /// Takes back one's own message.
    pub(crate) async fn delete(self, message: &ChatMessage) -> Result<(), String> {
        self.publish(|author| Deletion::unsigned(author, now_s(), &message.id, kind::CHAT)).await
    }

    /// Tells the host of a message that should not stand, and why.
    pub(crate) async fn report(self, message: &ChatMessage, category: &str) -> Result<(), String> {
        let of = (&message.id, &message.author);
        self.publish(|author| Report::unsigned(author, now_s(), of, &message.stream, category, "")).await
    }

    /// Changes how order is kept; for those who keep it.
    pub(crate) async fn change_settings(self, change: impl FnOnce(&mut ChatSettings)) -> Result<(), String> {
        let Some(author) = self.identity.pubkey_now() else {
            self.identity.ask();
            return Err(String::new());
        };
        if !self.loaded.get_untracked() {
            return Err("The rules of this chat are not there yet: try again in a moment.".to_owned());
        }
        if self.with(|inner| std::mem::replace(&mut inner.changing, true)) {
            return Err("Your signer has not answered to the change before this one.".to_owned());
        }
        let changed = self.sign_settings(author, change).await;
        if !self.is_gone() {
            self.with(|inner| inner.changing = false);
        }
        changed
    }

    async fn sign_settings(self, author: PublicKey, change: impl FnOnce(&mut ChatSettings)) -> Result<(), String> {
        let newest = self.with(|inner| inner.settings.get(&author).cloned());
        let mut settings =
            newest.as_ref().and_then(|event| ChatSettings::read(event).ok()).unwrap_or_else(|| self.no_settings());
        change(&mut settings);
        let at = update_time(now_s(), newest.map(|event| event.created_at)).map_err(|error| error.to_string())?;
        let stream = self.stream();
        self.publish(|author| settings.unsigned(author, at, &stream)).await
    }

    /// Announces the stream anew, as its host; answers the announcement's date.
    pub(crate) async fn announce(self, draft: &LiveEventDraft) -> Result<u64, String> {
        let previous = self.announcement.with_untracked(|event| event.as_ref().map(|event| event.created_at));
        let at = update_time(now_s(), previous).map_err(|skew| skew.to_string())?;
        let unsigned = draft.unsigned(self.stream().pubkey, at).map_err(|invalid| invalid.to_string())?;
        self.publish(|_| unsigned).await?;
        Ok(at)
    }

    /// Signs and publishes what the person who is signed in makes, and shows it at once.
    async fn publish(self, make: impl FnOnce(PublicKey) -> UnsignedEvent) -> Result<(), String> {
        let Some(author) = self.identity.pubkey_now() else {
            self.identity.ask();
            return Err(String::new());
        };
        let event = self.identity.sign(&make(author)).await?;
        // Whoever left while the signer thought about it does not want it said any more.
        if self.is_gone() {
            return Err(String::new());
        }
        self.relay.publish(&event).await?;
        if !self.is_gone() {
            self.take(event);
        }
        Ok(())
    }

    /// The page has let go of the chat while something was under way.
    pub(crate) fn is_gone(self) -> bool {
        self.inner.is_disposed()
    }

    fn with<T>(self, act: impl FnOnce(&mut Inner) -> T) -> T {
        let inner = self.inner.get_value();
        act(&mut inner.borrow_mut())
    }
}
