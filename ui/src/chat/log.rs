//! What has been said: a bounded list that takes whatever order and number events come in.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque},
    sync::Arc,
};

use skylark_protocol::{
    chat::ChatMessage,
    event::{EventId, PublicKey},
    moderation::ChatRules,
    reaction::Mood,
    zap::Zap,
};

/// Lines that are kept, and so can be on screen.
const MAX_LINES: usize = 200;
/// Ids that are remembered so that nothing comes twice or comes back.
const MAX_KNOWN: usize = 4000;
/// Lines whose reactions are counted.
const MAX_REACTED: usize = 400;
/// Different reactions to one line that are counted.
const MAX_MOODS: usize = 12;
/// People counted for one reaction to one line.
const MAX_REACTORS: usize = 1000;

/// Something in the chat. Cheap to clone.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Line {
    /// Somebody said something.
    Message(Arc<ChatMessage>),
    /// Somebody gave something.
    Zap(Arc<Zap>),
}

/// Where a line stands: by its date. Of lines of one second, those that were said before the page opened come first, by
/// their id, and then the others as they came: nothing moves any more that somebody has read.
pub(crate) type Place = (u64, u32, EventId);

impl Line {
    /// The event.
    pub(crate) fn id(&self) -> EventId {
        match self {
            Self::Message(message) => message.id,
            Self::Zap(zap) => zap.id,
        }
    }

    /// Who.
    pub(crate) fn author(&self) -> PublicKey {
        match self {
            Self::Message(message) => message.author,
            Self::Zap(zap) => zap.sender,
        }
    }

    fn created_at(&self) -> u64 {
        match self {
            Self::Message(message) => message.created_at,
            Self::Zap(zap) => zap.created_at,
        }
    }
}

/// How often something was felt about a line, most first.
pub(crate) type Tally = Vec<(String, usize)>;

/// The lines of one chat.
#[derive(Debug, Default)]
pub(crate) struct Log {
    lines: BTreeMap<Place, Line>,
    known: Known,
    /// Lines that came since what was said before was there; before that, 0.
    arrivals: u32,
    /// What was given, in millisatoshi.
    zapped_msat: u64,
    /// Whom the viewer does not want to see.
    muted: BTreeSet<PublicKey>,
    rules: Option<ChatRules>,
    reactions: HashMap<EventId, HashMap<String, HashSet<PublicKey>>>,
}

impl Log {
    /// Takes a line; tells whether that changed what is shown.
    pub(crate) fn add(&mut self, line: Line) -> bool {
        // What is known is bounded: a line that stands may be known no more.
        if !self.known.insert(line.id()) || !self.may_stand(&line) || self.find(&line.id()).is_some() {
            return false;
        }
        if let Line::Zap(zap) = &line {
            self.zapped_msat = self.zapped_msat.saturating_add(zap.amount_msat);
        }
        self.lines.insert((line.created_at(), self.arrivals, line.id()), line);
        if self.arrivals > 0 {
            self.arrivals = self.arrivals.saturating_add(1);
        }
        // An older one than all that are shown goes at once.
        while self.lines.len() > MAX_LINES {
            self.lines.pop_first();
        }
        true
    }

    /// What was said before the page opened is there: what comes from now on is new.
    pub(crate) fn begin(&mut self) {
        self.arrivals = self.arrivals.max(1);
    }

    /// Whether what was said before is there.
    pub(crate) fn has_begun(&self) -> bool {
        self.arrivals > 0
    }

    /// What was given so far, in millisatoshi.
    pub(crate) fn zapped_msat(&self) -> u64 {
        self.zapped_msat
    }

    /// Takes what somebody feels about a line; tells whether that was new.
    pub(crate) fn react(&mut self, target: EventId, author: PublicKey, mood: &Mood) -> bool {
        let Some(shown) = symbol(mood) else { return false };
        let has_room = self.reactions.len() < MAX_REACTED || self.reactions.contains_key(&target);
        if !has_room || self.muted.contains(&author) {
            return false;
        }
        let moods = self.reactions.entry(target).or_default();
        if moods.len() >= MAX_MOODS && !moods.contains_key(&shown) {
            return false;
        }
        let people = moods.entry(shown).or_default();
        people.len() < MAX_REACTORS && people.insert(author)
    }

    /// Tells whether an event that makes no line is new, and remembers it.
    pub(crate) fn is_new(&mut self, id: EventId) -> bool {
        self.known.insert(id)
    }

    /// Whether this event was here, be it gone by now.
    pub(crate) fn knows(&self, id: &EventId) -> bool {
        self.known.ids.contains(id)
    }

    /// What people felt about a line.
    pub(crate) fn tally(&self, line: &EventId) -> Tally {
        let moods = self.reactions.get(line).into_iter().flatten();
        let mut tally: Tally = moods.map(|(mood, people)| (mood.clone(), people.len())).collect();
        tally.sort_unstable_by(|(a, most), (b, least)| least.cmp(most).then_with(|| a.cmp(b)));
        tally
    }

    /// An author takes lines back.
    pub(crate) fn delete(&mut self, author: PublicKey, ids: &[EventId]) {
        self.lines.retain(|_, line| line.author() != author || !ids.contains(&line.id()));
    }

    /// The viewer does not want to see somebody any more.
    pub(crate) fn mute(&mut self, pubkey: PublicKey) {
        self.muted.insert(pubkey);
        self.lines.retain(|_, line| line.author() != pubkey);
    }

    /// The host wants order kept so.
    pub(crate) fn set_rules(&mut self, rules: ChatRules) {
        let zapped = &mut self.zapped_msat;
        self.lines.retain(|_, line| {
            let stands = rules.judge(&line.id(), &line.author()).is_ok();
            if let (false, Line::Zap(zap)) = (stands, &*line) {
                *zapped = zapped.saturating_sub(zap.amount_msat);
            }
            stands
        });
        self.rules = Some(rules);
    }

    /// A line, while it is kept.
    pub(crate) fn find(&self, id: &EventId) -> Option<Line> {
        self.lines.values().find(|line| line.id() == *id).cloned()
    }

    /// What is kept up to a place, oldest first.
    pub(crate) fn until(&self, place: Option<Place>) -> Vec<Line> {
        match place {
            Some(place) => self.lines.range(..=place).map(|(_, line)| line.clone()).collect(),
            None => self.lines.values().cloned().collect(),
        }
    }

    /// How many lines came after a place.
    pub(crate) fn count_after(&self, place: Place) -> usize {
        self.lines.range((std::ops::Bound::Excluded(place), std::ops::Bound::Unbounded)).count()
    }

    /// Where the newest stands.
    pub(crate) fn last(&self) -> Option<Place> {
        self.lines.last_key_value().map(|(place, _)| *place)
    }

    /// Whether rules and viewer let it stand.
    pub(crate) fn may_stand(&self, line: &Line) -> bool {
        let allowed = |rules: &ChatRules| rules.judge(&line.id(), &line.author()).is_ok();
        !self.muted.contains(&line.author()) && self.rules.as_ref().is_none_or(allowed)
    }
}

/// What a mood is shown as. Pictures of strangers are not worth a request each; nor is dislike worth a crowd.
pub(crate) fn symbol(mood: &Mood) -> Option<String> {
    match mood {
        Mood::Like | Mood::Emoji(_) => Some("❤️".to_owned()),
        Mood::Dislike => None,
        Mood::Text(text) => (!text.is_empty() && !text.chars().any(char::is_alphanumeric)).then(|| text.clone()),
    }
}

/// The newest ids that were seen.
#[derive(Debug, Default)]
struct Known {
    ids: HashSet<EventId>,
    order: VecDeque<EventId>,
}

impl Known {
    /// Tells whether it is new.
    fn insert(&mut self, id: EventId) -> bool {
        if !self.ids.insert(id) {
            return false;
        }
        self.order.push_back(id);
        if self.order.len() > MAX_KNOWN
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use skylark_protocol::{address::Address, moderation::ChatSettings};

    use super::*;

    fn key(number: u8) -> PublicKey {
        PublicKey::from_bytes([number; 32])
    }

    fn id(number: u32) -> EventId {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        EventId::from_bytes(bytes)
    }

    fn said(number: u32, created_at: u64, author: u8) -> Line {
        Line::Message(Arc::new(ChatMessage {
            id: id(number),
            author: key(author),
            created_at,
            stream: Address::live_event(key(1), "d"),
            content: format!("message {number}"),
            reply_to: None,
            emoji: Vec::new(),
        }))
    }

    fn numbers(log: &Log) -> Vec<EventId> {
        log.until(None).iter().map(Line::id).collect()
    }

    #[test]
    fn lines_stand_in_the_order_of_their_dates_and_each_once() {
        let mut log = Log::default();
        assert!(log.add(said(3, 30, 2)) && log.add(said(1, 10, 2)) && log.add(said(2, 20, 2)));
        assert!(!log.add(said(2, 20, 2)), "the same again, after a reconnection");
        assert_eq!(numbers(&log), [id(1), id(2), id(3)]);
        assert_eq!(log.until(Some((20, 0, id(2)))).len(), 2);
        assert_eq!(log.count_after((20, 0, id(2))), 1);
    }

    #[test]
    fn lines_of_one_second_stand_as_they_came() {
        let mut log = Log::default();
        // What is stored comes newest first, and of one second by its id.
        assert!(log.add(said(8, 50, 2)) && log.add(said(7, 50, 2)));
        log.begin();
        assert!(log.add(said(9, 50, 2)) && log.add(said(3, 50, 2)) && log.add(said(1, 40, 2)));
        assert_eq!(numbers(&log), [id(1), id(7), id(8), id(9), id(3)]);
    }

    #[test]
    fn zaps_add_up_each_once_and_without_those_of_the_banned() {
        let zap = |number: u32, sender: u8, amount_msat| {
            Line::Zap(Arc::new(Zap {
                id: id(number),
                wallet: key(9),
                created_at: 5,
                sender: key(sender),
                recipient: key(1),
                amount_msat,
                comment: String::new(),
                stream: None,
                target: None,
            }))
        };
        let mut log = Log::default();
        assert!(log.add(zap(1, 2, 21_000)) && !log.add(zap(1, 2, 21_000)) && log.add(zap(2, 4, 1000)));
        assert_eq!(log.zapped_msat(), 22_000);
        let settings = ChatSettings { banned: [key(4)].into(), ..ChatSettings::new("d") };
        log.set_rules(ChatRules::new(key(1), settings, None, [], []));
        assert_eq!(log.zapped_msat(), 21_000);
    }

    #[test]
    fn a_flood_is_bounded() {
        let mut log = Log::default();
        for number in 0..10_000 {
            log.add(said(number, u64::from(number), 2));
            log.react(id(number), key(3), &Mood::Like);
            log.react(id(0), key(3), &Mood::Text(char::from_u32(0x1f300 + number % 500).unwrap().to_string()));
        }
        assert_eq!(log.until(None).len(), MAX_LINES);
        assert_eq!(log.last().unwrap().2, id(9_999));
        assert!(log.known.ids.len() == MAX_KNOWN && log.reactions.len() <= MAX_REACTED);
        assert!(log.tally(&id(0)).len() <= MAX_MOODS);
    }

    #[test]
    fn what_is_deleted_muted_or_banned_goes_and_does_not_come_back() {
        let mut log = Log::default();
        (1..=4).for_each(|number| assert!(log.add(said(number, u64::from(number), number as u8))));
        log.delete(key(2), &[id(1), id(2)]);
        assert_eq!(numbers(&log), [id(1), id(3), id(4)], "only one's own can be deleted");
        assert!(!log.add(said(2, 2, 2)), "another relay still has it");
        log.mute(key(3));
        assert!(!log.add(said(5, 5, 3)));
        let settings = ChatSettings { banned: [key(4)].into(), ..ChatSettings::new("d") };
        log.set_rules(ChatRules::new(key(1), settings, None, [], []));
        assert!(!log.add(said(6, 6, 4)));
        assert_eq!(numbers(&log), [id(1)]);
    }

    #[test]
    fn reactions_are_counted_once_per_person_and_words_are_none() {
        let mut log = Log::default();
        for author in [2, 2, 3] {
            log.react(id(1), key(author), &Mood::Like);
        }
        log.react(id(1), key(2), &Mood::Text("🔥".into()));
        log.react(id(1), key(2), &Mood::Text("buy now".into()));
        log.react(id(1), key(4), &Mood::Dislike);
        assert_eq!(log.tally(&id(1)), [("❤️".to_owned(), 2), ("🔥".to_owned(), 1)]);
    }
}
