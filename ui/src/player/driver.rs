//! Joins the browser to the [`Session`]: feeds it what happens, carries out what it decides.

use std::{cell::RefCell, rc::Rc};

use leptos::prelude::*;
use skylark_protocol::{StreamId, StreamState, StreamStatus};
use wasm_bindgen::prelude::*;
use web_sys::{HtmlCanvasElement, HtmlVideoElement};

use super::{
    admission::Admission,
    words::{Rendition, failure, rendition},
};
use crate::{
    api::{self, ApiError},
    engine::{self, Engine},
    identity::Identity,
    playback::{Command, Event, Media, Session, State, View, clock::OriginClock},
};

/// How often the session hears that time goes by.
const TICK: std::time::Duration = std::time::Duration::from_millis(250);
/// Where the viewer's volume is remembered, in percent.
const VOLUME_KEY: &str = "skylark.loudness";
/// Where it is remembered that the viewer wants no sound.
const MUTED_KEY: &str = "skylark.muted";

/// The player's state as the page shows it, and the way to act on it. A handle: copies speak of the same player.
#[derive(Clone, Copy)]
pub(super) struct Player {
    pub(super) view: RwSignal<View>,
    pub(super) stream: RwSignal<Option<StreamStatus>>,
    pub(super) latency_ms: RwSignal<Option<i32>>,
    pub(super) renditions: RwSignal<Vec<Rendition>>,
    /// The rendition on screen.
    pub(super) playing_level: RwSignal<i32>,
    /// The one the viewer chose; -1 for automatic.
    pub(super) chosen_level: RwSignal<i32>,
    pub(super) volume: RwSignal<f64>,
    pub(super) muted: RwSignal<bool>,
    /// The browser refused to play with sound until the viewer touches the page.
    pub(super) sound_blocked: RwSignal<bool>,
    /// A menu is open: the controls stay.
    pub(super) menu_open: RwSignal<bool>,
    /// Who watches.
    pub(super) viewers: RwSignal<Option<u64>>,
    /// Where the viewer stands with a private stream.
    pub(super) admission: RwSignal<Admission>,
    pub(super) identity: Option<Identity>,
    inner: StoredValue<Rc<RefCell<Inner>>, LocalStorage>,
}

/// Hears the engine's events: kind, number, text.
type Listener = Closure<dyn FnMut(String, f64, String)>;

/// What is played.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Feed {
    /// A stream of this server: where it stands is asked there.
    Stream(StreamId),
    /// A playlist elsewhere, of which no more is known than that it is live.
    Playlist(String),
}

/// Stands for the id that a stream elsewhere has not.
const ELSEWHERE: &str = "elsewhere000";

struct Inner {
    feed: Feed,
    session: Session,
    clock: OriginClock,
    video: Option<HtmlVideoElement>,
    /// Below the video: its last picture, while nothing is loaded.
    still: Option<HtmlCanvasElement>,
    engine: Option<Engine>,
    listener: Option<Listener>,
    /// The playhead stands because a command said so.
    held: bool,
    asking: bool,
    ask_at_ms: f64,
    /// The host looks at their own picture: no break hides it, and nobody is counted.
    is_preview: bool,
    seat: Option<Seat>,
}

/// Where a viewer is counted, and hears of the stream.
struct Seat {
    leave: js_sys::Function,
    _hear: Closure<dyn FnMut(String)>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.leave.call0(&JsValue::NULL).ok();
    }
}

impl Player {
    /// A player for a stream; it starts when the page gives it a `<video>`.
    pub(super) fn new(feed: Feed) -> Self {
        let session = Session::default();
        let inner = Inner {
            feed,
            clock: OriginClock::default(),
            video: None,
            still: None,
            engine: None,
            listener: None,
            held: true,
            asking: false,
            ask_at_ms: 0.0,
            is_preview: false,
            seat: None,
            session,
        };
        let percent = engine::remembered(VOLUME_KEY).and_then(|text| text.parse::<u32>().ok()).unwrap_or(100);
        let volume = f64::from(percent) / 100.0;
        Self {
            view: RwSignal::new(inner.session.view()),
            stream: RwSignal::new(None),
            latency_ms: RwSignal::new(None),
            renditions: RwSignal::new(Vec::new()),
            playing_level: RwSignal::new(-1),
            chosen_level: RwSignal::new(-1),
            volume: RwSignal::new(volume.clamp(0.0, 1.0)),
            muted: RwSignal::new(engine::remembered(MUTED_KEY).is_some_and(|text| text == "1")),
            sound_blocked: RwSignal::new(false),
            menu_open: RwSignal::new(false),
            viewers: RwSignal::new(None),
            admission: RwSignal::default(),
            identity: use_context(),
            inner: StoredValue::new_local(Rc::new(RefCell::new(inner))),
        }
    }

    /// A player for the host of the stream.
    pub(super) fn preview(id: StreamId) -> Self {
        let player = Self::new(Feed::Stream(id));
        player.with(|inner| inner.is_preview = true);
        // Who speaks does not want to hear it a second later.
        player.muted.set(true);
        player
    }

    /// Begins with this `<video>` and the canvas below it.
    pub(super) fn start(self, video: HtmlVideoElement, still: HtmlCanvasElement) {
        video.set_volume(self.volume.get_untracked());
        video.set_muted(self.muted.get_untracked());
        let listener =
            Closure::new(move |kind: String, number: f64, text: String| self.engine_says(&kind, number, &text));
        self.with(|inner| {
            inner.video = Some(video);
            inner.still = Some(still);
            inner.listener = Some(listener);
        });
        self.ask_status();
        self.take_seat();
        // A private stream may open for whoever signs in.
        Effect::new(move |_| {
            if self.identity.and_then(Identity::pubkey) != self.admission.with_untracked(Admission::viewer) {
                self.ask_status();
            }
        });
        let ticking = set_interval_with_handle(move || self.tick(), TICK);
        on_cleanup(move || {
            if let Ok(handle) = ticking {
                handle.clear();
            }
            self.leave();
        });
    }

    /// Is counted among the viewers, of a private stream with a ticket.
    pub(super) fn take_seat(self) {
        let hear = Closure::new(move |text: String| {
            if let Ok(status) = serde_json::from_str::<StreamStatus>(&text) {
                self.tell(Event::Status(Box::new(self.admitted(status))));
            }
        });
        self.with(|inner| {
            if let Feed::Stream(id) = &inner.feed
                && !inner.is_preview
            {
                let ticket = self.admission.with_untracked(|one| one.secret().unwrap_or_default().to_owned());
                let leave = engine::attend(id.as_str(), &ticket, hear.as_ref().unchecked_ref());
                inner.seat = Some(Seat { leave, _hear: hear });
            }
        });
    }

    /// Whose picture it shows; none if it is not a stream of this server.
    pub(super) fn id(self) -> Option<StreamId> {
        self.with(|inner| match &inner.feed {
            Feed::Stream(id) => Some(id.clone()),
            Feed::Playlist(_) => None,
        })
    }

    /// The page lets go of the player.
    fn leave(self) {
        if let Some(inner) = self.inner.try_get_value() {
            let mut inner = inner.borrow_mut();
            inner.unload();
            inner.seat = None;
        }
    }

    /// The page has let go of the player while something was under way.
    fn is_gone(self) -> bool {
        self.inner.is_disposed()
    }

    /// Tells the session of an event and carries out its commands.
    pub(super) fn tell(self, event: Event) {
        if self.is_gone() {
            return;
        }
        let commands = self.with(|inner| {
            let media = inner.media();
            inner.session.handle(event, &media)
        });
        for command in commands {
            self.carry_out(command);
        }
        self.show();
    }

    /// Plays when stopped, stops when playing.
    pub(super) fn toggle(self) {
        let paused = self.view.get_untracked().state == State::Paused;
        self.tell(if paused { Event::Play } else { Event::Pause });
    }

    /// Sets the volume, 0 to 1; a volume that is heard also ends the silence.
    pub(super) fn set_volume(self, volume: f64) {
        let volume = volume.clamp(0.0, 1.0);
        self.volume.set(volume);
        engine::remember(VOLUME_KEY, &((volume * 100.0).round() as u32).to_string());
        if let Some(video) = self.video() {
            video.set_volume(volume);
        }
        self.set_muted(volume == 0.0);
    }

    /// Switches the sound off or on.
    pub(super) fn set_muted(self, muted: bool) {
        if !muted && self.volume.get_untracked() == 0.0 {
            self.volume.set(0.5);
            if let Some(video) = self.video() {
                video.set_volume(0.5);
            }
        }
        engine::remember(MUTED_KEY, if muted { "1" } else { "0" });
        self.muted.set(muted);
        self.sound_blocked.set(false);
        if let Some(video) = self.video() {
            video.set_muted(muted);
        }
    }

    /// Plays one rendition, or lets the bandwidth decide for -1.
    pub(super) fn choose_level(self, index: i32) {
        self.chosen_level.set(index);
        self.with(|inner| {
            if let Some(engine) = &inner.engine {
                engine.set_level(index);
            }
        });
    }

    /// The `<video>`, once the page has given it.
    pub(super) fn video(self) -> Option<HtmlVideoElement> {
        self.with(|inner| inner.video.clone())
    }

    /// The `<video>` stopped, whoever did that: an element of the browser's own can, too.
    pub(super) fn stopped(self) {
        let by_viewer = self.with(|inner| !inner.held && inner.video.as_ref().is_some_and(|video| !video.ended()));
        if by_viewer {
            self.tell(Event::Pause);
        }
    }

    /// The `<video>` was started, whoever did that.
    pub(super) fn started(self) {
        if self.with(|inner| inner.held) {
            self.tell(Event::Play);
        }
    }

    fn with<T>(self, act: impl FnOnce(&mut Inner) -> T) -> T {
        let inner = self.inner.get_value();
        act(&mut inner.borrow_mut())
    }

    fn tick(self) {
        self.tell(Event::Tick);
        let due = self.with(|inner| !inner.asking && js_sys::Date::now() >= inner.ask_at_ms);
        if due {
            self.ask_status();
        }
        let latency = self.with(|inner| inner.latency_ms());
        self.latency_ms.set(latency);
    }

    fn show(self) {
        let (view, stream) = self.with(|inner| (inner.session.view(), inner.session.stream().cloned()));
        if self.view.get_untracked() != view {
            self.view.set(view);
        }
        let viewers = stream.as_ref().and_then(|stream| stream.viewers);
        if self.viewers.get_untracked() != viewers {
            self.viewers.set(viewers);
        }
        let known = |a: &StreamStatus| (a.state, a.broadcast.clone(), a.started_at_ms);
        if self.stream.with_untracked(|old| old.as_ref().map(known)) != stream.as_ref().map(known) {
            self.stream.set(stream);
        }
    }

    fn carry_out(self, command: Command) {
        match command {
            Command::Load(playlist) => self.load(&playlist),
            Command::Unload => self.with(Inner::unload),
            Command::Begin(position) => self.begin(position),
            Command::Hold => self.with(|inner| {
                inner.held = true;
                if let Some(video) = &inner.video {
                    video.pause().ok();
                }
            }),
            Command::Seek(position) => self.with(|inner| inner.seek(position)),
            Command::SetRate(rate) => self.with(|inner| {
                if let Some(video) = inner.video.as_ref().filter(|video| video.playback_rate() != rate) {
                    video.set_playback_rate(rate);
                }
            }),
            Command::Lower => self.with(|inner| {
                if let Some(engine) = &inner.engine {
                    engine.lower();
                }
            }),
            Command::RecoverMedia => self.with(|inner| {
                if let Some(engine) = &inner.engine {
                    engine.recover_media();
                }
            }),
            Command::AskStatus => self.ask_status(),
        }
    }

    fn load(self, playlist: &str) {
        self.with(|inner| {
            inner.unload();
            if let (Some(video), Some(listener)) = (&inner.video, &inner.listener) {
                let engine = Engine::new(video, listener.as_ref().unchecked_ref());
                engine.load(playlist);
                inner.engine = Some(engine);
            }
        });
        self.chosen_level.set(-1);
    }

    fn begin(self, position: Option<f64>) {
        let video = self.with(|inner| {
            inner.held = false;
            if let Some(position) = position {
                inner.seek(position);
            }
            inner.video.clone()
        });
        let Some(video) = video else { return };
        leptos::task::spawn_local(async move {
            if engine::play(&video).await == "blocked" && !self.is_gone() {
                // Without sound it may play; the viewer is offered the sound.
                video.set_muted(true);
                self.muted.set(true);
                self.sound_blocked.set(true);
                if engine::play(&video).await != "playing" {
                    self.tell(Event::Pause);
                }
            }
        });
    }

    fn ask_status(self) {
        let feed = self.with(|inner| (!std::mem::replace(&mut inner.asking, true)).then(|| inner.feed.clone()));
        let id = match feed {
            Some(Feed::Stream(id)) => id,
            Some(Feed::Playlist(url)) => return self.is_live_elsewhere(url),
            None => return,
        };
        let ticket = self.admission.with_untracked(|one| one.secret().map(str::to_owned));
        leptos::task::spawn_local(async move {
            let answer = api::status(&id, ticket.as_deref()).await;
            if self.is_gone() {
                return;
            }
            let event = match answer {
                Ok(mut timed) => {
                    let origin_ms = timed.status.now_ms as f64;
                    self.with(|inner| {
                        inner.clock.note(timed.sent_ms, timed.received_ms, origin_ms);
                        timed.status.is_paused &= !inner.is_preview;
                    });
                    Event::Status(Box::new(self.admitted(timed.status)))
                }
                Err(ApiError::Unknown) => Event::UnknownStream,
                Err(ApiError::Unreachable | ApiError::Private) => Event::Unreachable,
            };
            self.with(|inner| inner.asking = false);
            self.tell(event);
            self.with(|inner| {
                inner.ask_at_ms = js_sys::Date::now() + f64::from(inner.session.status_interval_ms());
            });
        });
    }

    /// Nobody can be asked where the stream stands.
    fn is_live_elsewhere(self, playlist: String) {
        let Ok(id) = ELSEWHERE.parse() else { return };
        let offline = StreamStatus::offline(id, 0);
        let (state, broadcast) = (StreamState::Live, Some(playlist.clone()));
        let status = StreamStatus { state, broadcast, playlist: Some(playlist), ..offline };
        self.with(|inner| {
            inner.asking = false;
            inner.ask_at_ms = js_sys::Date::now() + f64::from(inner.session.status_interval_ms());
        });
        self.tell(Event::Status(Box::new(status)));
    }

    fn engine_says(self, kind: &str, number: f64, text: &str) {
        if self.is_gone() {
            return;
        }
        match kind {
            "appended" => self.tell(Event::Arrived { trough_s: number }),
            "ended" => self.tell(Event::PlaylistEnded),
            "level" => self.playing_level.set(number as i32),
            "levels" => {
                let lines = self.with(|inner| inner.engine.as_ref().map(Engine::levels)).unwrap_or_default();
                self.renditions.set(lines.lines().filter_map(rendition).collect());
            }
            "error" if number > 0.0 => {
                leptos::logging::warn!("playback failed: {text}");
                if text.ends_with(" 403") {
                    self.doubt_ticket();
                }
                self.tell(Event::Failed(failure(text)));
            }
            _ => {}
        }
    }
}

impl Inner {
    fn media(&self) -> Media {
        let now_ms = js_sys::Date::now();
        let (Some(video), Some(engine)) = (&self.video, &self.engine) else {
            return Media { now_ms, ..Media::default() };
        };
        Media {
            now_ms,
            position_s: video.current_time(),
            buffered_start_s: engine.buffered_start(),
            buffered_end_s: engine.buffered_end(),
            edge_s: engine.edge(),
            stride_s: engine.stride(),
            seeking: video.seeking(),
            native: engine.native(),
        }
    }

    /// How old the picture on screen is, by the origin's clock.
    fn latency_ms(&self) -> Option<i32> {
        let taken_ms = self.engine.as_ref()?.playing_date();
        let age_ms = self.clock.at(js_sys::Date::now())? - taken_ms;
        age_ms.is_finite().then_some(age_ms.round() as i32)
    }

    fn seek(&self, position: f64) {
        let Some(video) = &self.video else { return };
        let seekable = video.seekable();
        let last = seekable.length().checked_sub(1).and_then(|index| seekable.end(index).ok());
        video.set_current_time(if position == f64::MAX { last.unwrap_or(0.0) } else { position });
    }

    fn unload(&mut self) {
        self.held = true;
        if let (Some(engine), Some(still)) = (self.engine.take(), &self.still) {
            engine.destroy(still);
        }
    }
}
