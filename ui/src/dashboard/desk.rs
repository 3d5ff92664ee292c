//! One stream: its picture, its health, its chat, going live and ending.

use std::time::Duration;

use leptos::prelude::*;
use skylark_protocol::{
    StreamId, StreamState,
    address::Address,
    api::{ChangeStream, Phase, Stream, StreamAccess, StreamDetails, Ticket},
    event::{EventId, PublicKey},
    live_event::{LiveEventDraft, Status},
};

use super::{
    access::Access, announcer::Announcer, details::DetailsForm, every, guests::Guests, order::Order,
    picture::Thumbnail, relays::Relays, reports::Reports,
};
use crate::{
    api::{self, ApiError},
    chat::{self, Chat, Pinning, Room},
    clock::{self, duration, now_s},
    identity::Identity,
    player::Preview,
};

/// How often the origin is asked how the stream does.
const REFRESH: Duration = Duration::from_secs(3);
/// What has to wait for something else is tried again after this.
const AGAIN: Duration = Duration::from_millis(100);
/// Whoever did not sign for a ticket is not asked again before this, seconds.
const TICKET_AGAIN_S: u64 = 60;
/// How often a live stream is announced anew.
const ANNOUNCE: Duration = Duration::from_secs(60);

/// What the parts of the desk share.
#[derive(Clone, Copy)]
struct State {
    id: StoredValue<StreamId>,
    identity: Identity,
    announcer: Announcer,
    stream: RwSignal<Option<Stream>>,
    /// What the host of a private stream looks at it with.
    ticket: StoredValue<Option<Ticket>>,
    /// When the signer may be asked for it again, Unix seconds.
    ticket_at_s: StoredValue<u64>,
    trouble: RwSignal<Option<String>>,
    busy: RwSignal<bool>,
}

impl State {
    fn path(self, rest: &str) -> String {
        format!("/api/v1/streams/{}{rest}", self.id.get_value())
    }

    /// Does one thing after the other and says what went wrong with it: while a stream is announced, nothing is lost.
    fn run(self, act: impl Future<Output = Result<(), String>> + 'static) {
        match self.busy.try_get_untracked() {
            None => return,
            Some(true) => return set_timeout(move || self.run(act), AGAIN),
            Some(false) => {}
        }
        self.busy.set(true);
        leptos::task::spawn_local(async move {
            let result = act.await;
            self.busy.try_set(false);
            self.trouble.try_set(result.err());
        });
    }

    /// The same for what nobody asked for: it does not wait behind a signer who does not answer.
    fn run_if_idle(self, act: impl Future<Output = Result<(), String>> + 'static) {
        if self.busy.try_get_untracked() == Some(false) {
            self.run(act);
        }
    }

    fn refresh(self) {
        leptos::task::spawn_local(async move {
            let ticket = self.ticket.try_get_value().flatten();
            match api::stream(&self.id.get_value(), ticket.as_ref()).await {
                Ok(stream) => _ = self.stream.try_set(Some(stream)),
                // A new one, unless they have said no a moment ago.
                Err(ApiError::Private) if self.ticket_at_s.try_get_value().is_some_and(|at| at <= now_s()) => {
                    self.ticket_at_s.try_set_value(now_s() + TICKET_AGAIN_S);
                    self.run_if_idle(self.take_ticket());
                }
                Err(ApiError::Private) => {}
                Err(ApiError::Unknown | ApiError::Unreachable) => {}
            }
        });
    }

    async fn take_ticket(self) -> Result<(), String> {
        let ticket: Ticket = api::signed(self.identity, "POST", &self.path("/ticket"), &()).await?;
        self.stream.try_set(Some(ticket.stream.clone()));
        self.ticket.try_set_value(Some(ticket));
        Ok(())
    }

    async fn go_live(self) -> Result<(), String> {
        let stream: Stream = api::signed(self.identity, "POST", &self.path("/start"), &()).await?;
        self.stream.set(Some(stream.clone()));
        self.announcer.announce(&stream, Status::Live).await
    }

    /// Over first with the origin, which keeps its word when this page cannot: then for everybody.
    async fn end(self) -> Result<(), String> {
        let stream: Stream = api::signed(self.identity, "POST", &self.path("/stop"), &()).await?;
        self.stream.set(Some(stream.clone()));
        self.announcer.announce(&stream, Status::Ended).await
    }

    async fn change(self, details: StreamDetails) -> Result<(), String> {
        let change = ChangeStream {
            title: Some(details.title),
            description: Some(details.description),
            category: Some(details.category),
            tags: Some(details.tags),
            image: Some(details.image),
            ..ChangeStream::default()
        };
        let stream: Stream = api::signed(self.identity, "PATCH", &self.path(""), &change).await?;
        self.stream.set(Some(stream.clone()));
        self.announcer.announce(&stream, status(stream.phase)).await
    }

    /// Takes a break, or ends it.
    async fn pause(self, is_paused: bool) -> Result<(), String> {
        let path = self.path(if is_paused { "/pause" } else { "/resume" });
        self.stream.set(Some(api::signed(self.identity, "POST", &path, &()).await?));
        Ok(())
    }

    /// Changes what only the announcement says.
    fn change_announcement(self, change: impl FnOnce(&mut LiveEventDraft) + 'static) {
        self.run(async move {
            // As it is by then.
            let Some(stream) = self.stream.try_get_untracked().flatten() else { return Ok(()) };
            self.announcer.announce_changed(&stream, status(stream.phase), change).await
        });
    }

    fn pin(self, message: EventId, is_pinned: bool) {
        self.change_announcement(move |draft| {
            draft.pinned.retain(|id| *id != message);
            if is_pinned {
                draft.pinned.push(message);
                let too_many = draft.pinned.len().saturating_sub(LiveEventDraft::MAX_PINNED);
                draft.pinned.drain(..too_many);
            }
        });
    }

    /// Tells others of a stream that they were not told of, and of a live one that it still is.
    fn tell(self) {
        self.run(self.telling());
    }

    async fn telling(self) -> Result<(), String> {
        // As it is by then: what is over must not be announced as live again.
        let Some(stream) = self.stream.try_get_untracked().flatten() else { return Ok(()) };
        self.announcer.announce(&stream, status(stream.phase)).await
    }
}

fn status(phase: Phase) -> Status {
    match phase {
        Phase::Planned => Status::Planned,
        Phase::Live => Status::Live,
        Phase::Ended => Status::Ended,
    }
}

/// The desk.
#[component]
pub(super) fn Desk(id: StreamId, me: PublicKey, access: Option<StreamAccess>) -> impl IntoView {
    let identity = Identity::get();
    let room = Room::open(Address::live_event(me, id.as_str()));
    let state = State {
        id: StoredValue::new(id.clone()),
        identity,
        announcer: Announcer { room, identity, host: me },
        stream: RwSignal::new(None),
        ticket: StoredValue::new(None),
        ticket_at_s: StoredValue::new(0),
        trouble: RwSignal::new(None),
        busy: RwSignal::new(false),
    };
    let access = RwSignal::new(access);
    state.refresh();
    every(REFRESH, move || state.refresh());
    every(ANNOUNCE, move || {
        if state.stream.with_untracked(|stream| stream.as_ref().is_some_and(|stream| stream.phase == Phase::Live)) {
            state.run_if_idle(state.telling());
        }
    });
    // Only what has been announced can be talked about.
    Effect::new(move |told: Option<bool>| {
        let is_new = room.loaded.get() && room.announcement.with(Option::is_none);
        let is_mine = state.stream.with(|stream| stream.as_ref().is_some_and(|stream| stream.owner == me));
        if told != Some(true) && is_new && is_mine {
            state.tell();
            return true;
        }
        told.unwrap_or(false)
    });
    let is_private =
        Memo::new(move |_| state.stream.with(|stream| stream.as_ref().is_some_and(|one| one.details.private)));
    let is_open = Memo::new(move |_| state.stream.with(|stream| stream.as_ref().map(|one| one.phase != Phase::Ended)));
    let chat_open = chat::opening();
    // A new key is shown at once, for it is shown once.
    let is_new = access.with_untracked(Option::is_some);
    let keys = move || view! { <Access id=state.id.get_value() access/> };
    provide_context(Pinning(Callback::new(move |(message, is_pinned)| state.pin(message, is_pinned))));
    let named = Signal::derive(move || {
        let own = room.relay_url();
        let relays = room.announcement.with(|event| event.as_ref().map(|event| event.relays.clone()));
        relays.unwrap_or_default().into_iter().filter(|relay| *relay != own.trim_end_matches('/')).collect()
    });
    let save_relays = Callback::new(move |relays: Vec<String>| {
        state.change_announcement(move |draft| {
            // The first is this server's own.
            draft.relays.truncate(1);
            draft.relays.extend(relays.into_iter().take(LiveEventDraft::MAX_URLS - 1));
        });
    });
    let picture = Signal::derive(move || state.stream.with(|stream| stream.as_ref()?.thumbnail.clone()));
    let has_picture = Callback::new(move |stream| {
        state.stream.set(Some(stream));
        state.tell();
    });
    view! {
        <main class="watch with-chat desk">
            <div class="watch-main">
                <Bar state/>
                {move || (is_open.get() == Some(false)).then(|| view! { <Summary state room/> })}
                {move || (is_new && is_open.get() == Some(true)).then(keys)}
                <Preview id/>
                {move || (is_open.get() == Some(true)).then(|| view! {
                    {move || is_private.get().then(|| view! { <Guests identity path=state.path("/guests")/> })}
                    <Health state/>
                    <Reports room/>
                    <Order room/>
                    {(!is_new).then(keys)}
                    <Edit state/>
                    <Thumbnail identity path=state.path("/thumbnail") now=picture sent=has_picture/>
                    <Relays stream=room.stream() own=room.relay_url().trim_end_matches('/').to_owned() named save=save_relays/>
                })}
            </div>
            <Chat room open=chat_open/>
        </main>
    }
}

/// Title, phase, and what to do next.
#[component]
fn Bar(state: State) -> impl IntoView {
    // Nobody outside is told when it begins.
    let is_private = move || state.stream.with(|stream| stream.as_ref().is_some_and(|one| one.details.private));
    let sure = RwSignal::new(false);
    let phase = Memo::new(move |_| state.stream.with(|stream| stream.as_ref().map(|stream| stream.phase)));
    let title = move || state.stream.with(|stream| stream.as_ref().map(|stream| stream.details.title.clone()));
    let has_picture =
        move || state.stream.with(|stream| stream.as_ref().is_some_and(|one| one.status.state == StreamState::Live));
    let is_paused = Memo::new(move |_| state.stream.with(|one| one.as_ref().is_some_and(|one| one.status.is_paused)));
    let starts = move || {
        let is_planned = phase.get() == Some(Phase::Planned);
        state.stream.with(|stream| stream.as_ref()?.details.starts_at_s).filter(|_| is_planned)
    };
    let buttons = move || {
        match phase.get() {
        Some(Phase::Planned) => view! {
            <button
                type="button"
                id="go-live"
                class="pill primary"
                disabled=move || state.busy.get() || !has_picture()
                on:click=move |_| state.run(state.go_live())
            >
                "Go live"
            </button>
        }
        .into_any(),
        Some(Phase::Live) if !sure.get() => view! {
            <button
                type="button"
                id="pause"
                class="pill"
                disabled=move || state.busy.get()
                on:click=move |_| state.run(state.pause(!is_paused.get_untracked()))
            >
                {move || if is_paused.get() { "Resume" } else { "Pause" }}
            </button>
            <button type="button" id="end" class="pill" disabled=move || state.busy.get() on:click=move |_| sure.set(true)>
                "End stream"
            </button>
        }
        .into_any(),
        Some(Phase::Live) => view! {
            <button type="button" class="pill" on:click=move |_| sure.set(false)>"Stay live"</button>
            <button
                type="button"
                id="end-now"
                class="pill primary"
                disabled=move || state.busy.get()
                on:click=move |_| state.run(state.end())
            >
                "End it for good"
            </button>
        }
        .into_any(),
        _ => ().into_any(),
    }
    };
    let hint = move || match phase.get() {
        Some(Phase::Planned) if !has_picture() => Some("Start streaming in OBS; then you can go live."),
        Some(Phase::Live) if is_paused.get() => {
            Some("You take a break: viewers see a card. Players elsewhere still get what OBS sends.")
        }
        Some(Phase::Planned) => Some("Only you see this picture. Go live when you are ready."),
        _ => None,
    };
    view! {
        <section class="desk-bar">
            <a class="pill" href=super::PATH>"All streams"</a>
            <span class="phase" id="phase" data-phase=move || phase.get().map(|phase| status(phase).as_str())>
                {move || phase.get().map(|phase| status(phase).as_str())}
            </span>
            <h1 class="clamp"><bdi>{title}</bdi></h1>
            <a class="pill" href=move || format!("/s/{}", state.id.get_value()) target="_blank">"Viewers' page"</a>
            {move || starts().filter(|_| !is_private()).map(|at| view! {
                <a class="pill" id="calendar" href=state.path("/calendar") download="" title="A file for your calendar, to share">
                    {clock::day_and_time(at)}
                </a>
            })}
            {buttons}
        </section>
        <p class="notice">{hint}</p>
        <p class="trouble" role="alert">{move || state.trouble.get()}</p>
    }
}

/// How the picture arrives, and who watches.
#[component]
fn Health(state: State) -> impl IntoView {
    let health = move || state.stream.with(|stream| stream.as_ref().and_then(|stream| stream.status.health.clone()));
    let viewers = move || state.stream.with(|stream| stream.as_ref().map(|stream| stream.viewers).unwrap_or_default());
    view! {
        <section class="panel" aria-label="Health">
            <dl class="figures">
                <Figure name="Watching" value=Signal::derive(move || viewers().now.to_string())/>
                <Figure name="Most at once" value=Signal::derive(move || viewers().peak.to_string())/>
                <Figure name="Health" value=Signal::derive(move || health().map_or("–".into(), |health| format!("{} %", health.score)))/>
                <Figure name="Mbit/s" value=Signal::derive(move || health().map_or("–".into(), |health| tenths(health.bitrate_bps / 100_000)))/>
                <Figure name="Frames/s" value=Signal::derive(move || health().map_or("–".into(), |health| (health.frame_rate.round() as u32).to_string()))/>
            </dl>
            <p class="verdict" role="status">
                {move || state.stream.with(|stream| stream.as_ref().map(|stream| verdict(stream.status.health.as_ref())))}
            </p>
            <ul class="warnings">
                {move || health().map(|health| health.warnings).unwrap_or_default().into_iter()
                    .map(|warning| view! { <li class="hint">{warning.message}</li> }).collect_view()}
            </ul>
        </section>
    }
}

#[component]
fn Figure(name: &'static str, value: Signal<String>) -> impl IntoView {
    view! { <div><dt>{name}</dt><dd>{move || value.get()}</dd></div> }
}

/// What the figures mean for viewers.
fn verdict(health: Option<&skylark_protocol::Health>) -> &'static str {
    match health.map(|health| health.score) {
        None => "Nothing arrives from your encoder.",
        Some(90..) => "All is well: viewers see what you send.",
        Some(60..) => "Some viewers will notice something. What to mend:",
        Some(_) => "Many viewers will have trouble. What to mend:",
    }
}

/// "4.2" of 42 tenths.
fn tenths(count: u64) -> String {
    format!("{}.{}", count / 10, count % 10)
}

#[component]
fn Edit(state: State) -> impl IntoView {
    let details = state.stream.with_untracked(|stream| stream.as_ref().map(|stream| stream.details.clone()));
    let save = Callback::new(move |details| state.run(state.change(details)));
    view! {
        <section class="panel" aria-labelledby="edit">
            <h2 id="edit">"About the stream"</h2>
            <DetailsForm details=details.unwrap_or_default() action="Save" may_schedule=false save/>
        </section>
    }
}

/// What it was, when it is over.
#[component]
fn Summary(state: State, room: Room) -> impl IntoView {
    let figures = move || {
        state.stream.with(|stream| {
            let stream = stream.as_ref()?;
            let length_ms = stream.ended_at_ms.zip(stream.started_at_ms).map(|(end, start)| (end - start) as f64);
            Some((duration(length_ms.unwrap_or_default()), stream.viewers.peak, stream.viewers.total))
        })
    };
    let length = Signal::derive(move || figures().map(|(length, ..)| length).unwrap_or_default());
    let peak = Signal::derive(move || figures().map(|(_, peak, _)| peak.to_string()).unwrap_or_default());
    let given = Signal::derive(move || chat::sats(room.zapped_msat.get()));
    let total = Signal::derive(move || figures().map(|(.., total)| total.to_string()).unwrap_or_default());
    view! {
        <section id="summary" class="panel">
            <h2>"That was it"</h2>
            <dl class="figures">
                <Figure name="Live for" value=length/>
                <Figure name="Most at once" value=peak/>
                <Figure name="Viewers in all" value=total/>
                <Figure name="Given" value=given/>
            </dl>
        </section>
    }
}
