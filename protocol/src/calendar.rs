//! A planned stream as a file for calendars (iCalendar, RFC 5545).

use std::fmt::Write as _;

/// How long a stream is taken to last: none says so beforehand, and a calendar shows nothing of what takes no time.
const DURATION: &str = "PT1H";
/// Longest line, bytes without its end (§3.1).
const MAX_LINE_BYTES: usize = 75;
/// The last second that is written with four digits for its year.
const MAX_UNIX_S: u64 = 253_402_300_799;

/// A planned stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CalendarEntry<'a> {
    /// Names it for good: a calendar that gets the file again changes its entry instead of making another.
    pub uid: &'a str,
    /// Its title.
    pub title: &'a str,
    /// What it is about.
    pub description: &'a str,
    /// Where it can be watched.
    pub url: &'a str,
    /// When it is to begin, Unix seconds.
    pub starts_at_s: u64,
    /// When this was written, Unix seconds.
    pub written_at_s: u64,
}

impl CalendarEntry<'_> {
    /// The media type of the file.
    pub const MEDIA_TYPE: &'static str = "text/calendar;charset=utf-8";

    /// The file.
    #[must_use]
    pub fn file(&self) -> String {
        let (begins, written) = (date_time(self.starts_at_s), date_time(self.written_at_s));
        let url: String = self.url.chars().filter(|character| !character.is_control()).collect();
        let lines = [
            "BEGIN:VCALENDAR".to_owned(),
            "VERSION:2.0".to_owned(),
            "PRODID:-//Skylark//Streams//EN".to_owned(),
            "BEGIN:VEVENT".to_owned(),
            format!("UID:{}", escaped(self.uid)),
            format!("DTSTAMP:{written}"),
            format!("DTSTART:{begins}"),
            format!("DURATION:{DURATION}"),
            format!("SUMMARY:{}", escaped(self.title)),
            format!("DESCRIPTION:{}", escaped(self.description)),
            // A URI is no text: nothing in it is escaped.
            format!("URL:{url}"),
            "END:VEVENT".to_owned(),
            "END:VCALENDAR".to_owned(),
        ];
        let mut file = String::new();
        lines.iter().filter(|line| !line.ends_with(':')).for_each(|line| fold(line, &mut file));
        file
    }
}

/// A text value (§3.3.11). Control characters cannot be written at all.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.replace("\r\n", "\n").chars() {
        match character {
            '\\' | ';' | ',' => escaped.extend(['\\', character]),
            '\n' | '\r' => escaped.push_str("\\n"),
            _ if character.is_control() => {}
            _ => escaped.push(character),
        }
    }
    escaped
}

/// Writes a line in pieces that are short enough, each but the first behind a space; characters stay whole.
fn fold(line: &str, file: &mut String) {
    let mut length = 0;
    for character in line.chars() {
        if length + character.len_utf8() > MAX_LINE_BYTES {
            file.push_str("\r\n ");
            length = 1;
        }
        file.push(character);
        length += character.len_utf8();
    }
    file.push_str("\r\n");
}

/// `20261121T193000Z`
fn date_time(unix_s: u64) -> String {
    let unix_s = unix_s.min(MAX_UNIX_S);
    let (days, second) = (unix_s / 86_400, unix_s % 86_400);
    let (year, month, day) = date(days);
    let mut text = format!("{year:04}{month:02}{day:02}");
    // Writing to a String cannot fail.
    let _ = write!(text, "T{:02}{:02}{:02}Z", second / 3600, second / 60 % 60, second % 60);
    text
}

/// Year, month and day so many days after 1 January 1970. Years are counted from March, so that a leap day is the last
/// of its year.
fn date(days: u64) -> (u64, u64, u64) {
    // 1 March of the year 0, from which whole cycles of 400 years are counted.
    let days = days + 719_468;
    let (cycle, day_of_cycle) = (days / 146_097, days % 146_097);
    let year_of_cycle = (day_of_cycle - day_of_cycle / 1460 + day_of_cycle / 36_524 - day_of_cycle / 146_096) / 365;
    let day_of_year = day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (cycle * 400 + year_of_cycle + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry<'a>(title: &'a str, description: &'a str) -> CalendarEntry<'a> {
        CalendarEntry {
            uid: "abc123def456@a.tv",
            title,
            description,
            url: "https://a.tv/s/abc123def456",
            starts_at_s: 1_795_289_400,
            written_at_s: 951_782_400,
        }
    }

    #[test]
    fn a_planned_stream_is_an_entry() {
        let wanted = [
            "BEGIN:VCALENDAR",
            "VERSION:2.0",
            "PRODID:-//Skylark//Streams//EN",
            "BEGIN:VEVENT",
            "UID:abc123def456@a.tv",
            "DTSTAMP:20000229T000000Z",
            "DTSTART:20261121T193000Z",
            "DURATION:PT1H",
            "SUMMARY:Evening jam",
            "URL:https://a.tv/s/abc123def456",
            "END:VEVENT",
            "END:VCALENDAR",
            "",
        ];
        assert_eq!(entry("Evening jam", "").file(), wanted.join("\r\n"), "what is empty is left out");
    }

    #[test]
    fn no_text_breaks_out_of_its_line() {
        let file = entry("a,b;c\\d\r\nEND:VEVENT\nBEGIN:VALARM\u{7}", "one\ntwo").file();
        assert!(file.contains("SUMMARY:a\\,b\\;c\\\\d\\nEND:VEVENT\\nBEGIN:VALARM\r\n"), "{file}");
        assert!(file.contains("DESCRIPTION:one\\ntwo\r\n"));
        assert_eq!(file.lines().filter(|line| line.starts_with("END:VEVENT")).count(), 1);
        assert!(file.chars().all(|character| !character.is_control() || "\r\n".contains(character)));
    }

    #[test]
    fn long_lines_are_folded_between_characters_and_nothing_is_lost() {
        let long = "夜のジャム 👩‍👩‍👧 ".repeat(30);
        let file = entry("x", &long).file();
        assert!(file.split("\r\n").all(|line| line.len() <= MAX_LINE_BYTES), "{file}");
        assert!(file.replace("\r\n ", "").contains(&long));
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (unix_s, wanted) in [
            (0, "19700101T000000Z"),
            (68_169_599, "19720228T235959Z"),
            (68_169_600, "19720229T000000Z"),
            (1_709_251_199, "20240229T235959Z"),
            (4_107_542_400, "21000301T000000Z"),
            (4_133_980_799, "21001231T235959Z"),
            (u64::MAX, "99991231T235959Z"),
        ] {
            assert_eq!(date_time(unix_s), wanted);
        }
    }
}
