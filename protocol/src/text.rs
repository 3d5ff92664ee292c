//! Text from strangers, made fit to be shown.

/// What a character does that a name or a message must not do to the page around it.
fn is_harmful(character: char) -> bool {
    let is_bidi_control =
        matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{061c}');
    let is_invisible =
        matches!(character, '\u{feff}' | '\u{2028}' | '\u{2029}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}');
    // Flags of England, Scotland and Wales are written with tag characters.
    let is_flag_part = matches!(character, '\u{e0020}'..='\u{e007f}');
    is_bidi_control || (is_invisible && !is_flag_part)
}

/// Combining marks in a row; more are a tower over other people's lines.
const MAX_MARKS: usize = 4;

fn is_mark(character: char) -> bool {
    matches!(character, '\u{0300}'..='\u{036f}' | '\u{0483}'..='\u{0489}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

/// Whether this is nothing between two marks: what joins or varies characters.
fn is_joiner(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{fe00}'..='\u{fe0f}')
}

/// Cleaning twice is cleaning once: what was cleaned and sent on is the same for those who clean it again.
fn cleaned(text: &str, max_chars: usize, keeps: fn(char) -> bool) -> String {
    let mut marks = 0;
    let shown = |character: &char| (keeps(*character) || !character.is_control()) && !is_harmful(*character);
    // Counted among what is shown: what is left out in between must not make a new tower.
    let fit = |character: &char| {
        marks = match () {
            () if is_mark(*character) => marks + 1,
            () if is_joiner(*character) => marks,
            () => 0,
        };
        marks <= MAX_MARKS || !is_mark(*character)
    };
    let shown: String = text.chars().filter(shown).filter(fit).collect();
    let bounded: String = shown.trim().chars().take(max_chars).collect();
    bounded.trim_end().to_owned()
}

/// One line of at most so many characters: a name, a title. Control and direction characters are left out, line breaks
/// become spaces.
#[must_use]
pub fn line(text: &str, max_chars: usize) -> String {
    // A text is as long as it is: only so much of it is looked at.
    let flat: String = text
        .chars()
        .take(max_chars.saturating_mul(8))
        .map(|c| if matches!(c, '\n' | '\r' | '\t') { ' ' } else { c })
        .collect();
    cleaned(&flat, max_chars, |_| false)
}

/// Text of at most so many characters that keeps its line breaks: a message, a description.
#[must_use]
pub fn block(text: &str, max_chars: usize) -> String {
    let bounded: String = text.chars().take(max_chars.saturating_mul(8)).collect();
    cleaned(&bounded, max_chars, |character| character == '\n')
}

/// Whether a stranger's URL may be loaded or linked to: `https` or `http`, and nothing in it that ends an attribute or
/// a line. `data:`, `javascript:` and relative ones are not.
#[must_use]
pub fn is_web_url(url: &str) -> bool {
    has_scheme(url, &["https://", "http://"])
}

/// Whether this can be a relay's URL.
#[must_use]
pub fn is_relay_url(url: &str) -> bool {
    has_scheme(url, &["wss://", "ws://"])
}

/// Longest URL that is used, bytes.
pub const MAX_URL_BYTES: usize = 2048;

fn has_scheme(url: &str, schemes: &[&str]) -> bool {
    let after = schemes.iter().find_map(|scheme| {
        let (head, rest) = url.split_at_checked(scheme.len())?;
        head.eq_ignore_ascii_case(scheme).then_some(rest)
    });
    let is_clean = |rest: &str| !rest.chars().any(|c| c.is_control() || c.is_whitespace() || "\"'<>`\\".contains(c));
    url.len() <= MAX_URL_BYTES
        && after.is_some_and(|rest| rest.starts_with(|c: char| c.is_alphanumeric() || c == '[') && is_clean(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_turns_or_towers_is_left_out() {
        assert_eq!(line("  a\u{202e}dmin\u{0000}\n\u{feff}x ", 100), "admin x");
        assert_eq!(
            line(&format!("Z{}algo", "\u{0301}".repeat(50)), 100),
            format!("Z{}algo", "\u{0301}".repeat(MAX_MARKS))
        );
        let hidden = format!("Z{0}\u{202e}{0}", "\u{0301}".repeat(MAX_MARKS));
        assert_eq!(line(&hidden, 100), format!("Z{}", "\u{0301}".repeat(MAX_MARKS)));
        let joined = format!("Z{}", "\u{0301}\u{200d}".repeat(50));
        assert_eq!(line(&joined, 100).chars().filter(|c| is_mark(*c)).count(), MAX_MARKS);
        assert_eq!(line("\u{202e} x y", 2), "x", "nothing is left to trim");
        assert_eq!(line(&"x".repeat(1_000_000), 50).len(), 50);
        assert_eq!(block("a\nb\r\u{2066}c", 10), "a\nbc");
        // Families, flags and other writing stay.
        for kept in ["👨‍👩‍👧", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "שלום", "日本語", "é"] {
            assert_eq!(line(kept, 20), kept);
        }
    }

    #[test]
    fn only_web_urls_are_web_urls() {
        for good in ["https://a.example/x.m3u8?y=1&z", "HTTP://[::1]:80/", "https://例え.example/"] {
            assert!(is_web_url(good), "{good}");
        }
        for bad in [
            "javascript:alert(1)",
            "data:text/html,x",
            "https://",
            "//a.example",
            "https://a/\" onerror=",
            "https://a b",
            "https:// a",
            "moq://a",
            "",
        ] {
            assert!(!is_web_url(bad), "{bad}");
        }
        assert!(is_relay_url("wss://relay.example/path") && !is_relay_url("https://relay.example"));
    }
}
