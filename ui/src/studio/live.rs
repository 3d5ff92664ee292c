//! The broadcast by the origin's word: what viewers get, how well it goes there, and what is said.

use leptos::prelude::*;
use skylark_protocol::{
    address::Address,
    nip19::Entity,
    studio::{BroadcastState, Command, Notice, Severity, SourceStatus, Summary},
};

use super::{Doors, Panel, Trouble, announce::Describe, backstage::Backstage, dialog::Dialog, shapes, words};
use crate::{
    brand::{Icon, shapes as brand},
    chat::{Chat, Pinning, Room},
    clock,
    profiles::Profiles,
    relay::Relay,
    share::{Links, Share},
};

/// Figures of the broadcast, while there is one.
#[component]
pub(super) fn LivePanel() -> impl IntoView {
    let stage = Backstage::get();
    let is_on = stage.part(|now| words::is_on_air(now.broadcast.state));
    move || {
        is_on.get().then(|| {
            view! {
                <Panel id="live" title="Stream">
                    <Figures/>
                    <Warnings/>
                </Panel>
            }
        })
    }
}

#[component]
fn Figures() -> impl IntoView {
    let stage = Backstage::get();
    let figures = stage.part(|now| {
        let view = &now.broadcast;
        [
            ("viewers", "Viewers", view.viewers.to_string()),
            (
                "received",
                "Received",
                view.health.as_ref().map_or("–".into(), |health| words::bitrate(health.bitrate_bps)),
            ),
            ("sent", "Sent", words::bitrate(view.sent_bps)),
            ("target", "Target", words::bitrate(view.target_bps)),
            ("frames", "Frames", view.frames.to_string()),
            ("dropped", "Dropped", view.dropped_frames.to_string()),
            ("rtt", "Round trip", view.rtt_ms.map_or("–".into(), |rtt| format!("{rtt:.0} ms"))),
            ("loss", "Loss", view.loss_ratio.map_or("–".into(), |loss| format!("{:.1} %", loss * 100.0))),
            ("queued", "Waiting", format!("{} ms", view.queued_ms)),
        ]
    });
    let score = stage.part(|now| now.broadcast.health.as_ref().map(|health| health.score));
    let title = stage.part(|now| now.broadcast.stream.as_ref().map(|stream| stream.details.title.clone()));
    let describing = RwSignal::new(false);
    let links = move || {
        stage.snapshot.with_untracked(|now| {
            let page = now.broadcast.page_url.clone().unwrap_or_default();
            let naddr = now.broadcast.stream.as_ref().map(|stream| {
                let address = Address::live_event(stream.owner, stream.id.as_str());
                Entity::naddr(&address, now.broadcast.relay_url.as_slice())
            });
            Links { embed: Some(page.replace("/s/", "/embed/")), page, naddr }
        })
    };
    view! {
        <div class="live-head">
            <h3 dir="auto">{move || title.get()}</h3>
            {move || score.get().map(|score| view! {
                <span class="score" data-good=(score >= 80).to_string() title="How well it arrives, by the origin">{score}</span>
            })}
            <button type="button" id="describe-stream" class="tool" aria-label="Change title and picture" title="Change title and picture" aria-haspopup="dialog" on:click=move |_| describing.set(true)>
                <Icon path=shapes::PENCIL/>
            </button>
            <Share links/>
            <Describe open=describing/>
        </div>
        <dl class="stats">
            {(0..9).map(|at| view! {
                <div data-figure=move || figures.with(|figures| figures[at].0)>
                    <dt>{move || figures.with(|figures| figures[at].1)}</dt>
                    <dd>{move || figures.with(|figures| figures[at].2.clone())}</dd>
                </div>
            }).collect_view()}
        </dl>
    }
}

/// What goes wrong, here and by the word of the origin: in words, where the streamer looks.
#[component]
fn Warnings() -> impl IntoView {
    let stage = Backstage::get();
    let told = stage.part(|now| {
        let view = &now.broadcast;
        let is_away = view.state == BroadcastState::Reconnecting;
        let away =
            is_away.then(|| "Your stream does not reach viewers now. It goes on by itself as soon as it can.".into());
        let silent = view.origin_silent_s.map(|seconds| format!("The origin has not been heard of for {seconds} s."));
        let failures = away.into_iter().chain(silent).map(|message| (Severity::Failure, message));
        // That the origin does not answer is said already; the list of notices says why.
        let is_news = |notice: &&Notice| notice.severity > Severity::Note && notice.code != "origin-silent";
        let notices = now.notices.iter().filter(is_news);
        let notices = notices.map(|notice| (notice.severity, notice.message.clone()));
        let missing = now.sources.iter().filter_map(|state| match &state.status {
            SourceStatus::Missing { reason } => {
                let name = &now.collection.source(state.source)?.name;
                Some((Severity::Warning, format!("{name} is away: {}", words::inside(reason))))
            }
            SourceStatus::Starting | SourceStatus::Running => None,
        });
        let warnings = view.health.iter().flat_map(|health| &health.warnings);
        let warnings = warnings.map(|warning| (Severity::Warning, warning.message.clone()));
        failures.chain(notices).chain(missing).chain(warnings).collect::<Vec<_>>()
    });
    view! {
        <ul class="warning-list">
            {move || told.get().into_iter().map(|(severity, message)| view! {
                <li data-severity=words::severity(severity)><Icon path=brand::WARNING/>{message}</li>
            }).collect_view()}
        </ul>
    }
}

/// The chat of the stream that is on air.
#[component]
pub(super) fn Talk() -> impl IntoView {
    let stage = Backstage::get();
    let place = stage.part(|now| {
        let stream = now.broadcast.stream.as_ref()?;
        Some((now.broadcast.relay_url.clone()?, Address::live_event(stream.owner, stream.id.as_str())))
    });
    move || match place.get() {
        Some((relay, address)) => view! { <TalkOf relay address/> }.into_any(),
        None => view! {
            <Panel id="chat-panel" title="Chat">
                <div class="panel-empty">
                    <Icon path=brand::CHAT/>
                    <p>"Your chat appears here as soon as your stream is announced."</p>
                </div>
            </Panel>
        }
        .into_any(),
    }
}

#[component]
fn TalkOf(relay: String, address: Address) -> impl IntoView {
    let stage = Backstage::get();
    let trouble = RwSignal::new(None);
    Relay::provide_at(relay);
    Profiles::provide();
    provide_context(Pinning(Callback::new(move |(message, is_pinned)| {
        stage.act(trouble, Command::Pin { message, is_pinned });
    })));
    let room = Room::open(address);
    view! {
        <section class="panel talk" id="chat-panel">
            <Chat room open=RwSignal::new(true)/>
            <Trouble trouble/>
        </section>
    }
}

/// What there is to say after the end.
#[component]
pub(super) fn AfterTheEnd() -> impl IntoView {
    let stage = Backstage::get();
    let summary = stage.part(|now| now.broadcast.summary.clone());
    move || summary.get().map(|summary| view! { <SummaryDialog summary/> })
}

#[component]
fn SummaryDialog(summary: Summary) -> impl IntoView {
    let stage = Backstage::get();
    let trouble = RwSignal::new(None);
    let close = Callback::new(move |()| stage.act(trouble, Command::Dismiss));
    let Summary { stream, duration_s, dropped_frames, recording, .. } = summary;
    let figures = [
        ("Live for", clock::duration(duration_s as f64 * 1000.0)),
        ("Most viewers at once", stream.viewers.peak.to_string()),
        ("Viewers in all", stream.viewers.total.to_string()),
        ("Frames dropped", dropped_frames.to_string()),
    ];
    view! {
        <Dialog id="summary" title="Your stream is over" close>
            <p class="lead"><bdi>{stream.details.title}</bdi></p>
            <dl class="stats large">
                {figures.map(|(label, value)| view! { <div><dt>{label}</dt><dd>{value}</dd></div> }).collect_view()}
            </dl>
            {recording.map(|path| view! { <p class="hint">"The recording is in "<code>{path}</code></p> })}
            <Trouble trouble/>
            <div class="dialog-row">
                <span class="spacer"></span>
                <button type="button" id="dismiss" class="button primary" on:click=move |_| close.run(())>"Back to the Studio"</button>
            </div>
        </Dialog>
    }
}

/// A broadcast that an earlier run left on air.
#[component]
pub(super) fn LeftOnAir() -> impl IntoView {
    let stage = Backstage::get();
    let doors = Doors::get();
    let trouble = RwSignal::new(None);
    let left = stage.part(|now| now.broadcast.resumable.clone());
    let is_late = Memo::new(move |_| {
        left.with(|left| left.as_ref().is_some_and(|left| doors.now_ms.get() > left.until_ms as f64))
    });
    move || {
        left.get().map(|left| {
            view! {
                <div class="banner" id="resumable" role="status">
                    <Icon path=brand::BROADCAST/>
                    <p>
                        "“"<bdi>{left.details.title.clone()}</bdi>"” was on air when the Studio ended. "
                        {move || if is_late.get() { "It is over for its viewers: going on begins a new stream with the same settings." } else { "Viewers still wait for it." }}
                    </p>
                    <button type="button" id="resume" class="button primary" on:click=move |_| stage.act(trouble, Command::Resume)>"Go on with it"</button>
                    <button type="button" id="abandon" class="button" on:click=move |_| stage.act(trouble, Command::Abandon)>{move || if is_late.get() { "Forget it" } else { "End it" }}</button>
                    <Trouble trouble/>
                </div>
            }
        })
    }
}
