//! What the viewer wants to see of the list, and how the page's address says it.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::Arc,
};

use skylark_protocol::discover::Card;

/// Longest words that are searched for, characters.
const MAX_WORDS_CHARS: usize = 80;
/// Topics that are offered.
const MAX_TOPICS: usize = 12;

/// What the viewer wants to see; at first everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Wish {
    /// Words in title, host, category or hashtags.
    pub(super) words: String,
    /// A category or hashtag.
    pub(super) topic: Option<String>,
    /// Nothing of other servers.
    pub(super) only_here: bool,
}

impl Wish {
    /// Whether a card is among what is wanted.
    pub(super) fn takes(&self, card: &Card) -> bool {
        let is_here = card.stream.is_some();
        (is_here || !self.only_here)
            && self.topic.as_deref().is_none_or(|topic| has_topic(card, topic))
            && self.finds(card)
    }

    fn finds(&self, card: &Card) -> bool {
        let words = self.words.trim().trim_start_matches('#').to_lowercase();
        if words.is_empty() {
            return true;
        }
        let contains = |text: &str| text.to_lowercase().contains(&words);
        contains(&card.title)
            || card.host.as_ref().is_some_and(|host| contains(&host.name))
            || card.category.as_deref().is_some_and(contains)
            || card.hashtags.iter().any(|word| contains(word))
    }

    /// Reads the query of the page's address.
    pub(super) fn read(query: &str) -> Self {
        let mut wish = Self::default();
        for pair in query.trim_start_matches('?').split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = || decoded(value).chars().take(MAX_WORDS_CHARS).collect::<String>();
            match name {
                "q" => wish.words = value(),
                "topic" => wish.topic = Some(value()).filter(|topic| !topic.is_empty()),
                "here" => wish.only_here = true,
                _ => {}
            }
        }
        wish
    }

    /// The query that says the same; empty for everything.
    pub(super) fn query(&self) -> String {
        let mut pairs = Vec::new();
        if !self.words.trim().is_empty() {
            pairs.push(format!("q={}", encoded(&self.words)));
        }
        pairs.extend(self.topic.as_ref().map(|topic| format!("topic={}", encoded(topic))));
        if self.only_here {
            pairs.push("here".to_owned());
        }
        pairs.join("&")
    }
}

/// What a card is about, its category first.
fn topics_of(card: &Card) -> impl Iterator<Item = &String> {
    card.category.iter().chain(&card.hashtags)
}

fn has_topic(card: &Card, topic: &str) -> bool {
    topics_of(card).any(|one| one == topic)
}

/// The topics that most cards have; one that only one card has is none.
pub(super) fn topics<'a>(cards: impl Iterator<Item = &'a Arc<Card>>) -> Vec<String> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for card in cards {
        for topic in topics_of(card) {
            *counts.entry(topic).or_default() += 1;
        }
    }
    let mut counted: Vec<_> = counts.into_iter().filter(|(_, count)| *count > 1).collect();
    counted.sort_unstable_by_key(|(topic, count)| (std::cmp::Reverse(*count), *topic));
    counted.into_iter().take(MAX_TOPICS).map(|(topic, _)| topic.to_owned()).collect()
}

/// What tells a card from others, and from itself as it was before it changed. Viewers come and go without a new card.
pub(super) fn key(card: &Arc<Card>) -> u64 {
    let mut hasher = DefaultHasher::new();
    Card { viewers: None, ..Card::clone(card) }.hash(&mut hasher);
    hasher.finish()
}

fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// What is no text in the end is none.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let hex = |digit: Option<u8>| char::from(digit?).to_digit(16);
        match byte {
            b'%' => match hex(rest.next()).zip(hex(rest.next())) {
                Some((high, low)) => bytes.push((high * 16 + low) as u8),
                None => return String::new(),
            },
            b'+' => bytes.push(b' '),
            _ => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use skylark_protocol::{api::Phase, discover::Person, event::PublicKey};

    use super::*;

    fn card(title: &str, hashtags: &[&str]) -> Arc<Card> {
        Arc::new(Card {
            phase: Phase::Live,
            naddr: Some("naddr1".into()),
            stream: None,
            title: title.into(),
            host: Some(Person { pubkey: PublicKey::from_bytes([1; 32]), name: "Ann Marie".into(), picture: None }),
            picture: None,
            category: Some("music".into()),
            hashtags: hashtags.iter().map(|&word| word.into()).collect(),
            viewers: Some(5),
            starts_s: None,
            ends_s: None,
            content_warning: None,
        })
    }

    #[test]
    fn words_are_looked_for_in_all_that_a_card_says() {
        let card = card("Evening JAM", &["jazz"]);
        for words in ["", "  ", "jam", "ann m", "#jazz", "MUSIC"] {
            assert!(Wish { words: words.into(), ..Wish::default() }.takes(&card), "{words}");
        }
        assert!(!Wish { words: "chess".into(), ..Wish::default() }.takes(&card));
        assert!(!Wish { topic: Some("jam".into()), ..Wish::default() }.takes(&card), "the title is no topic");
        assert!(Wish { topic: Some("jazz".into()), ..Wish::default() }.takes(&card));
        assert!(!Wish { only_here: true, ..Wish::default() }.takes(&card));
    }

    #[test]
    fn the_address_says_it_and_is_understood() {
        let topic = Some("c++ & más".into());
        let wish = Wish { words: "a=b&c 夜".into(), topic, only_here: true };
        assert_eq!(Wish::read(&format!("?{}", wish.query())), wish);
        assert_eq!((Wish::default().query(), Wish::read("")), (String::new(), Wish::default()));
        for odd in ["?q=%", "?q=%zz", "?q=%ff", "?topic=", "?&&==", "?utm_source=x"] {
            assert_eq!(Wish::read(odd), Wish::default(), "{odd}");
        }
        assert_eq!(Wish::read(&format!("?q={}", "x".repeat(5000))).words.len(), MAX_WORDS_CHARS);
    }

    #[test]
    fn topics_are_those_that_many_have() {
        let cards = [card("a", &["jazz", "live"]), card("b", &["jazz"]), card("c", &["rare"])];
        assert_eq!(topics(cards.iter()), ["music", "jazz"]);
    }

    #[test]
    fn a_viewer_more_makes_no_other_card() {
        let one = card("a", &[]);
        let more = Arc::new(Card { viewers: Some(6), ..Card::clone(&one) });
        assert_eq!(key(&one), key(&more));
        assert_ne!(key(&one), key(&card("b", &[])));
    }
}
