//! One live event of the list. Nothing in it asks the network for anything but two pictures, when it is scrolled to.

use std::sync::Arc;

use leptos::prelude::*;
use skylark_protocol::{
    api::Phase,
    discover::{Card, Person},
};

use crate::{
    brand::{Icon, Mark, shapes},
    clock::{self, span},
    profiles::short_npub,
};

/// Backgrounds of cards without a picture.
const TINTS: u32 = 5;
/// Backgrounds of people without a picture.
const PERSON_TINTS: u8 = 8;
/// Hashtags that are shown.
const MAX_HASHTAGS: usize = 3;

/// A card.
#[component]
pub(super) fn CardView<V>(card: Arc<Card>, now: RwSignal<u64>, viewers: V) -> impl IntoView
where
    V: Fn(&str) -> Option<u64> + Copy + Send + Sync + 'static,
{
    let path = card.path();
    let name = card.stream.as_ref().map(ToString::to_string).unwrap_or_else(|| path.clone());
    let title = if card.title.is_empty() { untitled(card.phase).to_owned() } else { card.title.clone() };
    let topics = card.category.iter().cloned().chain(card.hashtags.iter().map(|word| format!("#{word}")));
    let topics: Vec<_> = topics.take(MAX_HASHTAGS).map(|topic| view! { <bdi class="tag">{topic}</bdi> }).collect();
    let nobody = card.host.is_none().then(|| view! { <span class="id">{name.clone()}</span> });
    let who = card.host.as_ref().map(|host| view! { <bdi class="card-host">{called(host)}</bdi> });
    let face = card.host.as_ref().map(face);
    let warning = card.content_warning.as_ref().map(|why| {
        let why = if why.is_empty() { "Sensitive".to_owned() } else { why.clone() };
        view! { <span class="card-warning"><Icon path=shapes::WARNING/><bdi>{why}</bdi></span> }
    });
    let is_warned = card.content_warning.is_some();
    let is_live = card.phase == Phase::Live;
    let counted = path.clone();
    let watching = is_live.then_some({
        move || viewers(&counted).map(|count| view! {
            <span class="card-viewers"><Icon path=shapes::EYE/>{compact(count)}<span class="unseen">" watching"</span></span>
        })
    });
    let time = {
        let card = Arc::clone(&card);
        move || when(&card, now.get()).map(|time| view! { <span class="card-time">{time}</span> })
    };
    view! {
        <li>
            <a class="card" href=path>
                <span class="card-picture" class:warned=is_warned data-tint=tint(&name).to_string()>
                    <Mark/>
                    {card.picture.clone().map(picture)}
                    {is_live.then(|| view! { <span class="live still"><span class="dot"></span>"Live"</span> })}
                    {warning}
                    {watching}
                    {time}
                </span>
                <span class="card-text">
                    {face}
                    <span class="card-words">
                        <bdi class="card-title">{title}</bdi>
                        {who}
                        {nobody}
                        <span class="card-topics">{topics}</span>
                    </span>
                </span>
            </a>
        </li>
    }
}

/// What cannot be loaded goes away; see `boot-discover.js`.
fn picture(url: String) -> impl IntoView {
    view! { <img src=url alt="" loading="lazy" decoding="async" referrerpolicy="no-referrer"/> }
}

fn face(host: &Person) -> impl IntoView + use<> {
    let letter = host.name.chars().find(|c| c.is_alphanumeric()).map_or('·', |c| c.to_uppercase().next().unwrap_or(c));
    let tint = host.pubkey.as_bytes()[0] % PERSON_TINTS;
    view! {
        <span class="avatar" data-tint=tint.to_string() aria-hidden="true">
            {letter.to_string()}
            {host.picture.clone().map(picture)}
        </span>
    }
}

fn called(host: &Person) -> String {
    if host.name.is_empty() { short_npub(&host.pubkey) } else { host.name.clone() }
}

fn untitled(phase: Phase) -> &'static str {
    match phase {
        Phase::Planned => "Stream to come",
        Phase::Live => "Live stream",
        Phase::Ended => "Past stream",
    }
}

/// "2 h 5 min" of what is on, the date of what is not.
fn when(card: &Card, now: u64) -> Option<String> {
    match card.phase {
        Phase::Live => card.starts_s.filter(|starts| *starts <= now).map(|starts| span(now - starts)),
        Phase::Planned => card.starts_s.map(|starts| match starts.checked_sub(now) {
            None => "Any moment".to_owned(),
            Some(soon) if soon < 12 * 3600 => format!("In {}", span(soon)),
            Some(_) => clock::day_and_time(starts),
        }),
        Phase::Ended => card.ends_s.map(|ends| format!("{} ago", span(now.saturating_sub(ends)))),
    }
}

/// "1.2k"
fn compact(count: u64) -> String {
    match count {
        0..1_000 => count.to_string(),
        1_000..10_000 => format!("{}.{}k", count / 1000, count % 1000 / 100),
        10_000..1_000_000 => format!("{}k", count / 1000),
        _ => format!("{}M", count / 1_000_000),
    }
}

/// Which of the card backgrounds a stream has: always the same for one stream.
fn tint(name: &str) -> u32 {
    name.bytes().fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte))) % TINTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_short() {
        let counts = [0, 999, 1_000, 1_250, 9_999, 10_500, 999_999, 2_000_000];
        assert_eq!(counts.map(compact), ["0", "999", "1.0k", "1.2k", "9.9k", "10k", "999k", "2M"]);
    }

    #[test]
    fn a_stream_keeps_its_tint() {
        assert_eq!(tint("abc123def456"), tint("abc123def456"));
        assert!((0..100).map(|n| tint(&format!("stream{n}"))).any(|other| other != tint("stream0")));
    }
}
