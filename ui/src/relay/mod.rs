//! The relay of the origin that served the page, or several of other people: one connection, kept up, shared by everything
//! on the page.

pub(crate) mod frame;

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    rc::Rc,
    time::Duration,
};

use futures_channel::oneshot;
use leptos::prelude::*;
use skylark_protocol::event::{Event, EventId, PublicKey, UnsignedEvent, kind};
use wasm_bindgen::prelude::*;
use web_sys::{MessageEvent, WebSocket};

use crate::engine;

pub(crate) use frame::Filter;
use frame::Frame;

use crate::{clock, identity::Identity};

/// How long to wait after the first failure to connect; twice as long after each further one.
const FIRST_DELAY_MS: u32 = 500;
/// The longest wait.
const MAX_DELAY_MS: u32 = 30_000;
/// How long the relay may take to answer to an event.
const ANSWER_PATIENCE: Duration = Duration::from_secs(12);
/// Events that may wait for their answer at once.
const MAX_UNANSWERED: usize = 32;

/// What a subscription brings.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum News {
    /// An event, stored or new; the same may come again after the connection was lost.
    Event(Event),
    /// Those that were stored are all there.
    Stored,
    /// The relay ended the subscription, and why.
    Closed(String),
}

/// The connection. A handle: copies speak of the same one.
#[derive(Clone, Copy)]
pub(crate) struct Relay {
    connected: RwSignal<bool>,
    identity: Option<Identity>,
    inner: StoredValue<Rc<RefCell<Inner>>, LocalStorage>,
}

/// Names a subscription until it is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SubscriptionId(u32);

struct Inner {
    urls: Vec<String>,
    /// Other people's: nobody has looked at what they send.
    is_outside: bool,
    socket: Option<Socket>,
    /// The connection was lost, and is made again in a moment.
    waits: bool,
    failures: u32,
    next: u32,
    subscriptions: BTreeMap<SubscriptionId, Subscription>,
    unanswered: HashMap<EventId, Unanswered>,
    /// What the relay wants to see signed before it tells more than it tells everybody.
    challenge: Option<String>,
    /// Who has signed it, or was asked to.
    authenticated: Option<PublicKey>,
}

struct Subscription {
    filters: Vec<Filter>,
    hear: Rc<dyn Fn(News)>,
}

struct Unanswered {
    text: String,
    answer: oneshot::Sender<Result<(), String>>,
}

struct Socket {
    socket: WebSocket,
    _open: Closure<dyn FnMut()>,
    _message: Closure<dyn FnMut(MessageEvent)>,
    _close: Closure<dyn FnMut()>,
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.socket.set_onopen(None);
        self.socket.set_onmessage(None);
        self.socket.set_onclose(None);
        self.socket.close().ok();
    }
}

impl Relay {
    /// Gives the handle to all components below. Nothing is connected before somebody asks for something.
    pub(crate) fn provide() {
        Self::of(vec![url()], false);
    }

    /// Gives a handle to the relay of the Studio's origin to all components below.
    pub(crate) fn provide_at(url: String) {
        Self::of(vec![url], false);
    }

    /// Gives a handle to other people's relays to all components below. What they send is checked in `outside.js`.
    pub(crate) fn provide_outside(urls: Vec<String>) {
        Self::of(urls, true);
    }

    fn of(urls: Vec<String>, is_outside: bool) {
        let inner = Inner {
            urls,
            is_outside,
            socket: None,
            waits: false,
            failures: 0,
            next: 0,
            subscriptions: BTreeMap::new(),
            unanswered: HashMap::new(),
            challenge: None,
            authenticated: None,
        };
        let inner = StoredValue::new_local(Rc::new(RefCell::new(inner)));
        provide_context(Self { connected: RwSignal::new(false), identity: use_context(), inner });
    }

    /// The handle that the page provides.
    pub(crate) fn get() -> Self {
        use_context().expect("`mount` provides the relay")
    }

    /// Its URL.
    pub(crate) fn url(self) -> String {
        self.with(|inner| inner.urls.first().cloned().unwrap_or_default())
    }

    /// Whether these are other people's relays.
    pub(crate) fn is_outside(self) -> bool {
        self.with(|inner| inner.is_outside)
    }

    /// Whether it can be talked to now; tracked.
    pub(crate) fn is_connected(self) -> bool {
        self.connected.get()
    }

    /// Asks for events; `hear` gets them until [`Relay::end`].
    pub(crate) fn subscribe(self, filters: Vec<Filter>, hear: impl Fn(News) + 'static) -> SubscriptionId {
        let id = self.with(|inner| {
            inner.next += 1;
            let id = SubscriptionId(inner.next);
            inner.say(&frame::request(&id.name(), &filters));
            inner.subscriptions.insert(id, Subscription { filters, hear: Rc::new(hear) });
            id
        });
        self.connect();
        id
    }

    /// Ends a subscription.
    pub(crate) fn end(self, id: SubscriptionId) {
        self.with(|inner| {
            if inner.subscriptions.remove(&id).is_some() {
                inner.say(&frame::close(&id.name()));
            }
        });
    }

    /// Publishes an event, as soon as there is a connection.
    ///
    /// # Errors
    /// Why the relay does not take it, as a sentence.
    pub(crate) async fn publish(self, event: &Event) -> Result<(), String> {
        let (sender, answer) = oneshot::channel();
        let (id, text) = (event.id, frame::publish(event));
        let has_room = self.with(|inner| {
            let has_room = inner.unanswered.len() < MAX_UNANSWERED;
            if has_room {
                inner.say(&text);
                inner.unanswered.insert(id, Unanswered { text, answer: sender });
            }
            has_room
        });
        if !has_room {
            return Err("Too many messages wait for the server.".to_owned());
        }
        self.connect();
        let late = move || self.is_there().then(|| self.answer(&id, Err("The server does not answer.".to_owned())));
        set_timeout(move || _ = late(), ANSWER_PATIENCE);
        answer.await.unwrap_or_else(|_| Err("The server does not answer.".to_owned()))
    }

    /// The part of the page that asked for it is still there.
    fn is_there(self) -> bool {
        self.inner.try_get_value().is_some()
    }

    fn with<T>(self, act: impl FnOnce(&mut Inner) -> T) -> T {
        let inner = self.inner.get_value();
        act(&mut inner.borrow_mut())
    }

    /// Shows the relay who has signed in, and asks again for all that was asked for; false where nothing is gained.
    fn authenticate(self) -> bool {
        let Some((identity, who)) = self.identity.and_then(|identity| Some((identity, identity.pubkey_now()?))) else {
            return false;
        };
        let challenge = self.with(|inner| inner.challenge.clone().filter(|_| inner.authenticated != Some(who)));
        let Some(challenge) = challenge else { return false };
        self.with(|inner| inner.authenticated = Some(who));
        let unsigned = UnsignedEvent {
            pubkey: who,
            created_at: clock::now_s(),
            kind: kind::AUTHENTICATION,
            tags: vec![vec!["relay".into(), self.url()], vec!["challenge".into(), challenge]],
            content: String::new(),
        };
        leptos::task::spawn_local(async move {
            let Ok(event) = identity.sign(&unsigned).await else {
                // They may be asked again with the next connection, or once somebody else has signed in.
                return self.with(|inner| inner.authenticated = None);
            };
            self.with(|inner| {
                inner.say(&frame::authenticate(&event));
                // It answers in order: by then it knows who asks.
                for (id, subscription) in &inner.subscriptions {
                    inner.say(&frame::request(&id.name(), &subscription.filters));
                }
            });
        });
        true
    }

    fn answer(self, id: &EventId, result: Result<(), String>) {
        if let Some(waiting) = self.with(|inner| inner.unanswered.remove(id)) {
            // Whoever waited may have left.
            waiting.answer.send(result).ok();
        }
    }

    fn connect(self) {
        if self.with(|inner| inner.waits || inner.socket.is_some()) {
            return;
        }
        let outside = self.with(|inner| inner.is_outside.then(|| inner.urls.join(" ")));
        let socket = match outside {
            Some(urls) => Ok(engine::open_relays(&urls).unchecked_into()),
            None => WebSocket::new(&self.url()),
        };
        let Ok(socket) = socket else { return self.lost() };
        let socket: WebSocket = socket;
        let open = Closure::<dyn FnMut()>::new(move || self.opened());
        let message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            if let Some(text) = event.data().as_string() {
                self.hear(Frame::read(&text));
            }
        });
        let close = Closure::<dyn FnMut()>::new(move || self.lost());
        socket.set_onopen(Some(open.as_ref().unchecked_ref()));
        socket.set_onmessage(Some(message.as_ref().unchecked_ref()));
        socket.set_onclose(Some(close.as_ref().unchecked_ref()));
        let socket = Socket { socket, _open: open, _message: message, _close: close };
        self.with(|inner| inner.socket = Some(socket));
    }

    fn opened(self) {
        self.with(|inner| {
            inner.failures = 0;
            for (id, subscription) in &inner.subscriptions {
                inner.say(&frame::request(&id.name(), &subscription.filters));
            }
            for waiting in inner.unanswered.values() {
                inner.say(&waiting.text);
            }
        });
        self.connected.set(true);
    }

    /// The connection ended, or did not come about: again, later.
    fn lost(self) {
        self.connected.set(false);
        let failures = self.with(|inner| {
            (inner.challenge, inner.authenticated) = (None, None);
            inner.waits = true;
            inner.failures += 1;
            inner.failures
        });
        // The socket is let go of later: this may be one of its own listeners.
        let again = move || {
            if !self.is_there() {
                return;
            }
            self.with(|inner| {
                inner.waits = false;
                inner.socket = None;
            });
            self.connect();
        };
        set_timeout(again, Duration::from_millis(delay_ms(failures, js_sys::Math::random()).into()));
    }

    fn hear(self, frame: Frame) {
        let update = match frame {
            Frame::Event(name, event) => (name, News::Event(event)),
            Frame::Stored(name) => (name, News::Stored),
            Frame::Closed(name, message)
                if message.starts_with("auth-required:") || message.starts_with("restricted:") =>
            {
                if self.authenticate() {
                    return;
                }
                (name, News::Closed(message))
            }
            Frame::Closed(name, message) => (name, News::Closed(message)),
            Frame::Challenge(challenge) => return self.with(|inner| inner.challenge = Some(challenge)),
            Frame::Ok(id, accepted, message) => {
                // The relay had it already: that is what was wanted.
                let taken = accepted || message.starts_with("duplicate:");
                return self.answer(&id, if taken { Ok(()) } else { Err(frame::reason(&message)) });
            }
            Frame::Notice(_) | Frame::Other => return,
        };
        let (name, update) = update;
        let Some(id) = SubscriptionId::read(&name) else { return };
        // Released first: whoever hears it may subscribe to more.
        let listener = self.with(|inner| inner.subscriptions.get(&id).map(|subscription| subscription.hear.clone()));
        if let Some(hear) = listener {
            hear(update);
        }
    }
}

impl Inner {
    /// Sends a text if there is a connection; what is asked for and not answered is sent again when there is one.
    fn say(&self, text: &str) {
        if let Some(Socket { socket, .. }) = &self.socket
            && socket.ready_state() == WebSocket::OPEN
        {
            socket.send_with_str(text).ok();
        }
    }
}

impl SubscriptionId {
    fn name(self) -> String {
        format!("s{}", self.0)
    }

    fn read(name: &str) -> Option<Self> {
        name.strip_prefix('s')?.parse().ok().map(Self)
    }
}

/// How long to wait after so many failures; spread out, so that not all pages come back at once.
fn delay_ms(failures: u32, random: f64) -> u32 {
    let doubled = FIRST_DELAY_MS.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1).min(16)));
    (f64::from(doubled.min(MAX_DELAY_MS)) * (0.75 + random.clamp(0.0, 1.0) / 2.0)) as u32
}

/// `ws://` or `wss://` and the host of the page.
fn url() -> String {
    let location = window().location();
    let scheme = if location.protocol().is_ok_and(|scheme| scheme == "https:") { "wss" } else { "ws" };
    format!("{scheme}://{}/", location.host().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_stay_bounded() {
        assert_eq!(delay_ms(1, 0.5), FIRST_DELAY_MS);
        assert_eq!(delay_ms(3, 0.5), 4 * FIRST_DELAY_MS);
        assert!(delay_ms(1, 0.0) < delay_ms(1, 1.0));
        assert!((0..100).all(|failures| delay_ms(failures, 1.0) <= MAX_DELAY_MS * 5 / 4));
    }
}
