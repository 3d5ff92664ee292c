//! What the host's settings, the host's mute list and the moderators' bans make of a message.

use std::collections::BTreeSet;

use super::{ChatSettings, MuteList, set};
use crate::{
    chat::MAX_MESSAGE_CHARS,
    event::{EventId, PublicKey},
    zap::Zap,
};

/// Least time between two messages of one person, seconds.
const MESSAGE_INTERVAL_S: u64 = 1;

/// Everything that decides whether a message may stand in one stream's chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatRules {
    host: PublicKey,
    settings: ChatSettings,
    moderators: BTreeSet<PublicKey>,
    banned: BTreeSet<PublicKey>,
    removed: BTreeSet<EventId>,
    words: BTreeSet<String>,
}

/// What a rule may need to know besides the message.
#[derive(Debug, Clone, Copy, Default)]
pub struct Circumstances {
    /// When the author's last message came, Unix seconds.
    pub last_message_at: Option<u64>,
    /// Now, Unix seconds.
    pub now: u64,
    /// The author follows the host.
    pub is_follower: bool,
}

/// Why a message may not stand. As text it goes to its author.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Objection {
    /// The host or a moderator does not want to hear the author.
    #[error("you cannot write in this chat")]
    Banned,
    /// It was removed, and does not come back.
    #[error("this was removed by the host")]
    Removed,
    /// The chat is off.
    #[error("the host has switched the chat off")]
    ChatOff,
    /// Reactions are off.
    #[error("the host has switched reactions off")]
    ReactionsOff,
    /// It is too long.
    #[error("a message has at most {MAX_MESSAGE_CHARS} characters")]
    TooLong,
    /// It says nothing.
    #[error("the message is empty")]
    Empty,
    /// It has a word that the host does not want.
    #[error("the host does not allow one of these words")]
    Word,
    /// It has other things than emoji.
    #[error("only emoji can be written at the moment")]
    EmotesOnly,
    /// The author does not follow the host.
    #[error("only those who follow the host can write at the moment")]
    FollowersOnly,
    /// It comes too soon after the author's last.
    #[error("wait {wait_s} s before you write again")]
    TooSoon {
        /// How long to wait.
        wait_s: u64,
    },
}

impl ChatRules {
    /// The rules of a chat: the host's settings and mute list, and each moderator's settings. Of the latter, those are
    /// heard whom the host names a moderator, in the settings or (`announced`) in the live event.
    #[must_use]
    pub fn new(
        host: PublicKey,
        settings: ChatSettings,
        mute_list: Option<MuteList>,
        announced: impl IntoIterator<Item = PublicKey>,
        moderators: impl IntoIterator<Item = (PublicKey, ChatSettings)>,
    ) -> Self {
        let mute_list = mute_list.unwrap_or_default();
        let trusted = set(settings.moderators.iter().copied().chain(announced));
        let (mut banned, mut removed) = (&settings.banned | &mute_list.pubkeys, settings.removed.clone());
        for (_, theirs) in moderators.into_iter().filter(|(author, _)| trusted.contains(author)) {
            banned.extend(theirs.banned);
            removed.extend(theirs.removed);
        }
        // Nobody can be locked out of keeping order by one of their own.
        banned.retain(|key| *key != host && !settings.moderators.contains(key));
        let words = &settings.words | &mute_list.words;
        Self { host, moderators: trusted, banned, removed: set(removed.into_iter()), words, settings }
    }

    /// The host's settings.
    #[must_use]
    pub fn settings(&self) -> &ChatSettings {
        &self.settings
    }

    /// Whether this person keeps order: the host does, and moderators.
    #[must_use]
    pub fn keeps_order(&self, pubkey: &PublicKey) -> bool {
        *pubkey == self.host || self.moderators.contains(pubkey)
    }

    /// Whether this person is not to be heard.
    #[must_use]
    pub fn is_banned(&self, pubkey: &PublicKey) -> bool {
        self.banned.contains(pubkey)
    }

    /// Whether this message was removed.
    #[must_use]
    pub fn is_removed(&self, id: &EventId) -> bool {
        self.removed.contains(id)
    }

    /// Messages that were removed.
    pub fn removed(&self) -> impl Iterator<Item = &EventId> {
        self.removed.iter()
    }

    /// Whom the host and the moderators do not want to hear.
    pub fn banned(&self) -> impl Iterator<Item = &PublicKey> {
        self.banned.iter()
    }

    /// What holds for whatever somebody sends to this chat, and for showing what is old.
    ///
    /// # Errors
    /// Why it may not stand.
    pub fn judge(&self, id: &EventId, author: &PublicKey) -> Result<(), Objection> {
        match () {
            () if self.is_banned(author) => Err(Objection::Banned),
            () if self.is_removed(id) => Err(Objection::Removed),
            () => Ok(()),
        }
    }

    /// What holds for a message of this moment. Those who keep order are bound by its length only.
    ///
    /// # Errors
    /// Why it may not stand.
    pub fn judge_message(
        &self,
        id: &EventId,
        author: &PublicKey,
        content: &str,
        circumstances: Circumstances,
    ) -> Result<(), Objection> {
        self.judge(id, author)?;
        if content.trim().is_empty() {
            return Err(Objection::Empty);
        }
        // A character is at most four bytes: the long ones need no counting.
        if content.len() > 4 * MAX_MESSAGE_CHARS || content.chars().count() > MAX_MESSAGE_CHARS {
            return Err(Objection::TooLong);
        }
        if self.keeps_order(author) {
            return Ok(());
        }
        if !self.settings.is_chat_on {
            return Err(Objection::ChatOff);
        }
        if self.has_unwanted_word(content) {
            return Err(Objection::Word);
        }
        if self.settings.is_emotes_only && !is_emotes(content) {
            return Err(Objection::EmotesOnly);
        }
        if self.settings.is_followers_only && !circumstances.is_follower {
            return Err(Objection::FollowersOnly);
        }
        let interval_s = MESSAGE_INTERVAL_S.max(u64::from(self.settings.slow_s));
        let due = circumstances.last_message_at.map_or(0, |last| last.saturating_add(interval_s));
        match due.saturating_sub(circumstances.now) {
            0 => Ok(()),
            wait_s => Err(Objection::TooSoon { wait_s }),
        }
    }

    /// What holds for a reaction.
    ///
    /// # Errors
    /// Why it may not stand.
    pub fn judge_reaction(&self, id: &EventId, author: &PublicKey) -> Result<(), Objection> {
        self.judge(id, author)?;
        if self.settings.are_reactions_on || self.keeps_order(author) { Ok(()) } else { Err(Objection::ReactionsOff) }
    }

    /// What holds for a zap: for who sends it, and what they write with it.
    ///
    /// # Errors
    /// Why it may not stand.
    pub fn judge_zap(&self, zap: &Zap) -> Result<(), Objection> {
        self.judge(&zap.id, &zap.sender)?;
        let is_wanted = self.keeps_order(&zap.sender) || !self.has_unwanted_word(&zap.comment);
        if is_wanted { Ok(()) } else { Err(Objection::Word) }
    }

    /// Words count as a whole: between characters that are none of a word.
    fn has_unwanted_word(&self, content: &str) -> bool {
        if self.words.is_empty() {
            return false;
        }
        let content = content.to_lowercase();
        let joins = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        self.words.iter().filter(|word| !word.is_empty()).any(|word| {
            content.match_indices(word.as_str()).any(|(at, found)| {
                let (before, after) = (&content[..at], &content[at + found.len()..]);
                !joins(before.chars().next_back()) && !joins(after.chars().next())
            })
        })
    }
}

/// Whether a message is made of emoji and `:name:` only.
fn is_emotes(content: &str) -> bool {
    let is_emoji = |c: char| {
        matches!(c,
            '\u{1f000}'..='\u{1faff}' | '\u{2600}'..='\u{27bf}' | '\u{2300}'..='\u{23ff}' | '\u{2b00}'..='\u{2bff}'
            | '\u{2190}'..='\u{21ff}' | '\u{e0020}'..='\u{e007f}' | '\u{200d}' | '\u{fe0f}' | '\u{20e3}'
            | '\u{203c}' | '\u{2049}' | '\u{3030}' | '\u{303d}')
    };
    content.split_whitespace().all(|word| is_shortcodes(word) || word.chars().all(is_emoji))
}

/// `:one:` or `:one::two:`
fn is_shortcodes(word: &str) -> bool {
    let inner = word.strip_prefix(':').and_then(|rest| rest.strip_suffix(':'));
    let named = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
    inner.is_some_and(|inner| inner.split("::").all(named))
}
