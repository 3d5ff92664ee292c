//! Who has signed in. Keys are seen by JavaScript in `ui/identity` alone; here is what it answers.

mod dialog;
mod menu;

use std::{pin::Pin, rc::Rc};

use leptos::prelude::*;
use skylark_protocol::event::{Event, PublicKey, UnsignedEvent};
use wasm_bindgen::prelude::*;

pub(crate) use dialog::SignIn;
pub(crate) use menu::AccountMenu;

/// Where signatures come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    /// A browser extension (NIP-07).
    Extension,
    /// A signer elsewhere, whose `bunker://` address was typed in (NIP-46).
    Bunker,
    /// A signer elsewhere that scanned our `nostrconnect://` address.
    Connect,
    /// A key that was pasted, for this tab.
    Key,
    /// A key made up for a guest.
    Guest,
    /// The Studio around the page, which has the key.
    Studio,
}

impl Method {
    const ALL: [Self; 5] = [Self::Extension, Self::Bunker, Self::Connect, Self::Key, Self::Guest];

    /// As `ui/identity` calls it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Extension => "extension",
            Self::Bunker => "bunker",
            Self::Connect => "connect",
            Self::Key => "key",
            Self::Guest => "guest",
            Self::Studio => "studio",
        }
    }
}

/// Somebody who has signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Account {
    /// Who.
    pub(crate) pubkey: PublicKey,
    /// Where their signatures come from.
    pub(crate) method: Method,
}

impl Account {
    fn read(text: &str) -> Option<Self> {
        let (method, pubkey) = text.split_once(' ')?;
        let method = Method::ALL.into_iter().find(|known| known.as_str() == method)?;
        Some(Self { method, pubkey: pubkey.parse().ok()? })
    }
}

/// What a signer wants a person to see.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Request {
    /// An address to be visited.
    Open(String),
    /// An address to be scanned, with the side and the path of its QR code.
    Scan { uri: String, size: u32, path: String },
}

/// Whoever looks at the page. A handle: copies speak of the same person.
#[derive(Clone, Copy)]
pub(crate) struct Identity {
    account: RwSignal<Option<Account>>,
    /// The dialog is open.
    asking: RwSignal<bool>,
    request: RwSignal<Option<Request>>,
    /// Signs, where JavaScript does not.
    signer: Option<StoredValue<Signer, LocalStorage>>,
}

/// Signs events elsewhere; fails with a sentence for the person.
pub(crate) type Signer = Rc<dyn Fn(UnsignedEvent) -> Pin<Box<dyn Future<Output = Result<Event, String>>>>>;

impl Identity {
    /// Reads who signed in earlier, and gives the handle to all components below.
    pub(crate) fn provide() {
        let identity = Self {
            account: RwSignal::new(account().as_deref().and_then(Account::read)),
            asking: RwSignal::new(false),
            request: RwSignal::new(None),
            signer: None,
        };
        let listener = Closure::<dyn Fn(String, String, String)>::new(move |kind: String, words: String, picture| {
            identity.request.set(request(&kind, words, picture));
        });
        listen(listener.as_ref().unchecked_ref());
        // As long as the page.
        listener.forget();
        provide_context(identity);
    }

    /// Gives the handle of whoever the Studio around the page says to all components below.
    pub(crate) fn provide_studio(pubkey: Signal<Option<PublicKey>>, signer: Signer) {
        let account = RwSignal::new(None);
        Effect::new(move || account.set(pubkey.get().map(|pubkey| Account { pubkey, method: Method::Studio })));
        let (asking, request) = (RwSignal::new(false), RwSignal::new(None));
        provide_context(Self { account, asking, request, signer: Some(StoredValue::new_local(signer)) });
    }

    /// The handle that the page provides.
    pub(crate) fn get() -> Self {
        use_context().expect("`mount` provides the identity")
    }

    /// Who has signed in; tracked.
    pub(crate) fn account(self) -> Option<Account> {
        self.account.get()
    }

    /// Whose page it is; tracked.
    pub(crate) fn pubkey(self) -> Option<PublicKey> {
        self.account.get().map(|account| account.pubkey)
    }

    /// The same, untracked.
    pub(crate) fn pubkey_now(self) -> Option<PublicKey> {
        self.account.get_untracked().map(|account| account.pubkey)
    }

    /// Opens the dialog.
    pub(crate) fn ask(self) {
        self.asking.set(true);
    }

    /// Signs in.
    ///
    /// # Errors
    /// A sentence for the person.
    async fn sign_in(self, method: Method, text: &str) -> Result<(), String> {
        let answered = sign_in(method.as_str(), text).await;
        self.request.set(None);
        let pubkey = answered.map_err(|error| sentence(&error))?.as_string().and_then(|text| text.parse().ok());
        let pubkey = pubkey.ok_or_else(|| "The signer did not answer with a public key.".to_owned())?;
        self.account.set(Some(Account { pubkey, method }));
        self.asking.set(false);
        Ok(())
    }

    /// Gives up signing in.
    fn cancel(self) {
        self.asking.set(false);
        self.request.set(None);
        leptos::task::spawn_local(async { cancel_sign_in().await.unwrap_or_default() });
    }

    /// Signs out, and forgets every key.
    pub(crate) fn sign_out(self) {
        self.account.set(None);
        leptos::task::spawn_local(async { sign_out().await.unwrap_or_default() });
    }

    /// Has an event signed by its author.
    ///
    /// # Errors
    /// A sentence for the person.
    pub(crate) async fn sign(self, unsigned: &UnsignedEvent) -> Result<Event, String> {
        if let Some(signer) = self.signer {
            return signer.get_value()(unsigned.clone()).await;
        }
        let json = serde_json::to_string(unsigned).map_err(|error| error.to_string())?;
        let signed = sign(&json).await.map_err(|error| sentence(&error))?;
        let event: Option<Event> = signed.as_string().and_then(|json| serde_json::from_str(&json).ok());
        event.ok_or_else(|| "The signer answered with something else than an event.".to_owned())
    }
}

fn request(kind: &str, words: String, picture: String) -> Option<Request> {
    match kind {
        // What a signer names is another's: only what opens a web page is offered.
        "open" => words.starts_with("https://").then_some(Request::Open(words)),
        "connect" => {
            let (size, path) = picture.split_once(' ')?;
            Some(Request::Scan { uri: words, size: size.parse().ok()?, path: path.to_owned() })
        }
        _ => None,
    }
}

/// What JavaScript threw, as a sentence.
fn sentence(error: &JsValue) -> String {
    error
        .dyn_ref::<js_sys::Error>()
        .and_then(|error| error.message().as_string())
        .or_else(|| error.as_string())
        .unwrap_or_else(|| "Signing failed.".to_owned())
}

#[wasm_bindgen(raw_module = "./account.js")]
extern "C" {
    fn account() -> Option<String>;
    fn listen(listener: &js_sys::Function);
    #[wasm_bindgen(js_name = signIn, catch)]
    async fn sign_in(method: &str, text: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_name = cancelSignIn, catch)]
    async fn cancel_sign_in() -> Result<(), JsValue>;
    #[wasm_bindgen(catch)]
    async fn sign(json: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_name = signOut, catch)]
    async fn sign_out() -> Result<(), JsValue>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_of_a_sign_in_is_read_or_forgotten() {
        let pubkey = "3bf0c63fcb93463407af97a5e5ee64fa883d107ef9e558472c4eb9aaaefa459d";
        let read = Account::read(&format!("bunker {pubkey}")).unwrap();
        assert_eq!((read.method, read.pubkey.to_string().as_str()), (Method::Bunker, pubkey));
        for junk in ["", "bunker", "bunker abc", &format!("wallet {pubkey}")] {
            assert_eq!(Account::read(junk), None, "{junk}");
        }
    }

    #[test]
    fn a_signer_can_only_ask_for_web_pages() {
        assert!(request("open", "https://signer.example/yes".into(), String::new()).is_some());
        assert!(request("open", "javascript:alert(1)".into(), String::new()).is_none());
        let scan = request("connect", "nostrconnect://x".into(), "29 M0 0h1v1h-1z".into());
        assert!(matches!(scan, Some(Request::Scan { size: 29, .. })));
    }
}
