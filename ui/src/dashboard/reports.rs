//! What viewers object to, for the host to judge.

use std::{collections::BTreeMap, time::Duration};

use leptos::prelude::*;
use skylark_protocol::{
    event::{EventId, PublicKey, kind},
    moderation::Report,
};

use crate::{
    chat::{Line, Room, attempt},
    profiles::Name,
    relay::{Filter, News, Relay},
};

/// Messages whose reports are kept; more are a flood.
const MAX_REPORTED: usize = 50;
/// Reports that are asked for.
const HISTORY: u32 = 200;
/// What arrives is shown together after so long.
const GATHER: Duration = Duration::from_millis(200);

/// What is said against one message.
#[derive(Debug, Clone, PartialEq)]
struct Case {
    author: PublicKey,
    /// Who objects and in which of the NIP's words.
    reports: BTreeMap<PublicKey, String>,
}

/// The reports that are open: messages that were removed, and people who were banned, are settled.
#[component]
pub(super) fn Reports(room: Room) -> impl IntoView {
    let relay = Relay::get();
    let cases = RwSignal::new(BTreeMap::<EventId, Case>::new());
    let trouble = RwSignal::new(None::<String>);
    let about = Filter {
        kinds: vec![kind::REPORT],
        addresses: vec![room.stream().to_string()],
        limit: Some(HISTORY),
        ..Filter::default()
    };
    let waiting = StoredValue::new(Vec::new());
    let subscription = relay.subscribe(vec![about], move |update| {
        let News::Event(event) = update else { return };
        let Ok(report) = Report::read(&event) else { return };
        let is_first = waiting.try_update_value(|waiting| {
            waiting.push(report);
            waiting.len() == 1
        });
        if is_first == Some(true) {
            set_timeout(move || take(room, cases, waiting), GATHER);
        }
    });
    on_cleanup(move || relay.end(subscription));
    let open = move || {
        let found = cases.get().into_iter().filter_map(|(id, case)| match room.find(&id) {
            Some(Line::Message(message)) if message.author == case.author => Some((message, case)),
            _ => None,
        });
        found.collect::<Vec<_>>()
    };
    let row = move |(message, case): (std::sync::Arc<skylark_protocol::chat::ChatMessage>, Case)| {
        let (id, author) = (message.id, message.author);
        let why = case.reports.values().cloned().collect::<std::collections::BTreeSet<_>>();
        let why = why.into_iter().collect::<Vec<_>>().join(", ");
        let remove = move |_| attempt(trouble, room.change_settings(move |settings| settings.removed.push(id)));
        let ban = move |_| attempt(trouble, room.change_settings(move |settings| _ = settings.banned.insert(author)));
        view! {
            <li class="report">
                <p><Name pubkey=author/>" "<bdi dir="auto" class="clamp">{message.content.clone()}</bdi></p>
                <p class="notice">{format!("{} × {why}", case.reports.len())}</p>
                <button type="button" class="pill" on:click=remove>"Remove"</button>
                <button type="button" class="pill" on:click=ban>"Ban"</button>
            </li>
        }
    };
    view! {
        <Show when=move || !open().is_empty()>
            <section class="panel" id="reports" aria-labelledby="reports-title">
                <h2 id="reports-title">"Reported by viewers"</h2>
                <ul class="rows">{move || open().into_iter().map(row).collect_view()}</ul>
                <p class="trouble" role="alert">{move || trouble.get()}</p>
            </section>
        </Show>
    }
}

/// Files what has come.
fn take(room: Room, cases: RwSignal<BTreeMap<EventId, Case>>, waiting: StoredValue<Vec<Report>>) {
    if room.is_gone() {
        return;
    }
    let reports = waiting.try_update_value(std::mem::take).unwrap_or_default();
    cases.try_update(|cases| reports.into_iter().for_each(|report| file(cases, report, |id| room.find(id).is_some())));
}

/// Each person's objection counts once. What is said against a person alone has no place here: there is nothing to see.
fn file(cases: &mut BTreeMap<EventId, Case>, report: Report, is_here: impl Fn(&EventId) -> bool) {
    let Some(message) = report.event else { return };
    if cases.len() >= MAX_REPORTED && !cases.contains_key(&message) {
        // What nobody can see needs no case.
        cases.retain(|id, _| is_here(id));
        if cases.len() >= MAX_REPORTED {
            return;
        }
    }
    let case = cases.entry(message).or_insert_with(|| Case { author: report.reported, reports: BTreeMap::new() });
    case.reports.insert(report.author, report.category);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objections_count_once_per_person_and_message() {
        let report = |author: u8, event: Option<u8>| Report {
            author: PublicKey::from_bytes([author; 32]),
            reported: PublicKey::from_bytes([9; 32]),
            event: event.map(|byte| EventId::from_bytes([byte; 32])),
            category: "spam".into(),
            reason: String::new(),
        };
        let mut cases = BTreeMap::new();
        [report(1, Some(1)), report(1, Some(1)), report(2, Some(1)), report(1, None)]
            .into_iter()
            .for_each(|one| file(&mut cases, one, |_| true));
        assert_eq!(cases.values().map(|case| case.reports.len()).collect::<Vec<_>>(), [2]);
        (0..=255).for_each(|byte| file(&mut cases, report(1, Some(byte)), |_| true));
        assert_eq!(cases.len(), MAX_REPORTED);
    }
}
