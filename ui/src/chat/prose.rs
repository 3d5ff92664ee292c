//! A message's text in pieces: words, links, people. Nothing of it is ever markup.

use skylark_protocol::{chat::Emoji, event::PublicKey, nip19::Entity, text};

/// Longest text of a link that is shown, characters.
const MAX_LINK_CHARS: usize = 60;
/// Pieces of one message; the rest stays plain.
const MAX_PIECES: usize = 60;
/// Line breaks of one message; further ones are spaces, and so are those that only make space.
const MAX_BREAKS: usize = 6;

/// A piece of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Text as it stands.
    Text(String),
    /// A web address, and what is shown of it.
    Link { url: String, shown: String },
    /// Somebody is named.
    Person(PublicKey),
    /// A picture among the words.
    Emoji(Emoji),
}

/// Takes a message apart.
pub(crate) fn pieces(content: &str, emoji: &[Emoji]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut plain = String::new();
    for token in tokens(&few_breaks(content)) {
        match (pieces.len() < MAX_PIECES).then(|| read(token, emoji)).flatten() {
            Some((piece, rest)) => {
                if !plain.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut plain)));
                }
                pieces.push(piece);
                plain.push_str(rest);
            }
            None => plain.push_str(token),
        }
    }
    if !plain.is_empty() {
        pieces.push(Piece::Text(plain));
    }
    pieces
}

/// Words and the white space between them, in turn.
fn tokens(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let begins_with_space = rest.chars().next()?.is_whitespace();
        let end = rest.find(|c: char| c.is_whitespace() != begins_with_space).unwrap_or(rest.len());
        let (token, after) = rest.split_at(end);
        rest = after;
        Some(token)
    })
}

/// What a word is, if it is more than a word, and what of it stands after that.
fn read<'a>(word: &'a str, emoji: &[Emoji]) -> Option<(Piece, &'a str)> {
    if word.starts_with("https://") || word.starts_with("http://") {
        let url = word.trim_end_matches(['.', ',', ';', ':', '!', '?', ')', ']', '}', '"', '\'']);
        let link = || Piece::Link { url: url.to_owned(), shown: shortened(url) };
        return text::is_web_url(url).then(|| (link(), &word[url.len()..]));
    }
    if word.starts_with("nostr:") || word.starts_with("npub1") || word.starts_with("nprofile1") {
        let name = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        return match name.parse() {
            Ok(Entity::Profile(pubkey, _)) => Some((Piece::Person(pubkey), &word[name.len()..])),
            _ => None,
        };
    }
    let name = word.strip_prefix(':')?.strip_suffix(':')?;
    let found = emoji.iter().find(|one| one.name == name && one.url.starts_with("https://"))?;
    Some((Piece::Emoji(found.clone()), ""))
}

fn shortened(url: &str) -> String {
    let bare = url.trim_start_matches("https://").trim_start_matches("http://").trim_end_matches('/');
    match bare.char_indices().nth(MAX_LINK_CHARS) {
        Some((end, _)) => format!("{}…", &bare[..end]),
        None => bare.to_owned(),
    }
}

/// A message of five hundred line breaks would push all others away.
fn few_breaks(text: &str) -> String {
    let mut lines = text.split('\n').map(str::trim_end).filter(|line| !line.is_empty());
    let mut kept: Vec<_> = lines.by_ref().take(MAX_BREAKS).collect();
    let rest = lines.collect::<Vec<_>>().join(" ");
    if !rest.is_empty() {
        kept.push(&rest);
    }
    kept.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(words: &str) -> Piece {
        Piece::Text(words.to_owned())
    }

    #[test]
    fn links_people_and_emoji_are_found_among_words() {
        let npub = "npub180cvv07tjdrrgpa0j7j7tmnyl2yr6yr7l8j4s3evf6u64th6gkwsyjh6w6";
        let wave = Emoji { name: "wave".into(), url: "https://a.example/w.png".into() };
        let content = format!("hi nostr:{npub}, see (https://a.example/x?y=1). :wave: :no:");
        let found = pieces(&content, std::slice::from_ref(&wave));
        assert!(matches!(&found[1], Piece::Person(_)));
        assert_eq!(found[0], text("hi "));
        assert_eq!(found[2], text(", see (https://a.example/x?y=1). "), "a word begins where the space ends");
        assert_eq!(found[3], Piece::Emoji(wave));
        assert_eq!(found[4], text(" :no:"));
        let link = pieces("https://a.example/very, yes", &[]);
        assert_eq!(link[0], Piece::Link { url: "https://a.example/very".into(), shown: "a.example/very".into() });
        assert_eq!(link[1], text(", yes"));
    }

    #[test]
    fn scripts_stay_words() {
        for hostile in [
            "<script>alert(1)</script>",
            "javascript:alert(1)",
            "<img src=x onerror=alert(1)>",
            "https://\"onmouseover=alert(1)",
            "data:text/html,<script>",
        ] {
            assert_eq!(pieces(hostile, &[]), [text(hostile)], "{hostile}");
        }
    }

    #[test]
    fn a_message_does_not_grow_without_bound() {
        let links = "https://a.example ".repeat(500);
        assert!(pieces(&links, &[]).len() <= 2 * MAX_PIECES);
        assert_eq!(pieces(&format!("a{}b", "\n".repeat(500)), &[]), [text("a\nb")]);
        let Piece::Text(tall) = &pieces(&"a\n".repeat(500), &[])[0] else { panic!("text") };
        assert_eq!(tall.matches('\n').count(), MAX_BREAKS);
        let Piece::Link { shown, .. } = &pieces(&format!("https://a.example/{}", "x".repeat(400)), &[])[0] else {
            panic!("a link")
        };
        assert!(shown.chars().count() <= MAX_LINK_CHARS + 1);
        assert!(pieces("", &[]).is_empty());
    }
}
