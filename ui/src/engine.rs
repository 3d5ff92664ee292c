//! hls.js and what the browser offers, as `ui/js/engine.js` wraps them.

use wasm_bindgen::prelude::*;
use web_sys::{HtmlCanvasElement, HtmlElement, HtmlVideoElement};

#[wasm_bindgen(raw_module = "./engine.js")]
extern "C" {
    /// Plays one playlist in one `<video>`.
    pub type Engine;

    /// `listener(kind, number, text)`; the kinds are listed in `engine.js`.
    #[wasm_bindgen(constructor)]
    pub fn new(video: &HtmlVideoElement, listener: &js_sys::Function) -> Engine;
    /// Loads a multivariant playlist.
    #[wasm_bindgen(method)]
    pub fn load(this: &Engine, url: &str);
    /// End of the furthest buffered range, seconds of media time.
    #[wasm_bindgen(method, js_name = bufferedEnd)]
    pub fn buffered_end(this: &Engine) -> f64;
    /// Start of that range.
    #[wasm_bindgen(method, js_name = bufferedStart)]
    pub fn buffered_start(this: &Engine) -> f64;
    /// End of what the playlist lists; 0 while unknown.
    #[wasm_bindgen(method)]
    pub fn edge(this: &Engine) -> f64;
    /// Target duration of a part or segment in seconds; 0 while unknown.
    #[wasm_bindgen(method)]
    pub fn stride(this: &Engine) -> f64;
    /// When the origin received the picture on screen, Unix milliseconds; NaN while unknown.
    #[wasm_bindgen(method, js_name = playingDate)]
    pub fn playing_date(this: &Engine) -> f64;
    /// One line per rendition: height, frame rate, bits per second.
    #[wasm_bindgen(method)]
    pub fn levels(this: &Engine) -> String;
    /// Plays this rendition from now on; -1 lets the bandwidth decide.
    #[wasm_bindgen(method, js_name = setLevel)]
    pub fn set_level(this: &Engine, index: i32);
    /// Goes on with the next rendition down, if the bandwidth decides.
    #[wasm_bindgen(method)]
    pub fn lower(this: &Engine);
    /// Gives the decoder a fresh start.
    #[wasm_bindgen(method, js_name = recoverMedia)]
    pub fn recover_media(this: &Engine);
    /// Whether the browser plays HLS without hls.js.
    #[wasm_bindgen(method)]
    pub fn native(this: &Engine) -> bool;
    /// Lets go of the `<video>`, and keeps what it showed last on the canvas.
    #[wasm_bindgen(method)]
    pub fn destroy(this: &Engine, still: &HtmlCanvasElement);

    /// An answer of the origin.
    pub type Answer;
    /// HTTP status; 0 when there was no answer.
    #[wasm_bindgen(method, getter)]
    pub fn status(this: &Answer) -> u16;
    /// Body.
    #[wasm_bindgen(method, getter)]
    pub fn text(this: &Answer) -> String;
    /// When it was asked for, `Date.now()`.
    #[wasm_bindgen(method, getter)]
    pub fn sent(this: &Answer) -> f64;
    /// When it began to arrive, `Date.now()`.
    #[wasm_bindgen(method, getter)]
    pub fn received(this: &Answer) -> f64;

    /// `GET path` of the origin that served the page.
    #[wasm_bindgen(js_name = fetchText)]
    pub async fn fetch_text(path: &str) -> Answer;
    /// `GET path`, for which the browser may use what it has if the origin says that it is the same.
    #[wasm_bindgen(js_name = fetchKept)]
    pub async fn fetch_kept(path: &str) -> Answer;
    /// `GET path`, by a guest of a private stream.
    #[wasm_bindgen(js_name = fetchWithTicket)]
    pub async fn fetch_with_ticket(path: &str, ticket: &str) -> Answer;
    /// Sets a mark (User Timing) when what the page shows now is on screen.
    #[wasm_bindgen(js_name = markWhenDrawn)]
    pub fn mark_when_drawn(name: &str);
    /// Several relays, separated by spaces, behind the face of one WebSocket.
    #[wasm_bindgen(js_name = openRelays)]
    pub fn open_relays(urls: &str) -> JsValue;
    /// What follows the `?` in the page's address.
    #[wasm_bindgen(js_name = replaceQuery)]
    pub fn replace_query(query: &str);
    /// A request that the signed event, as JSON, authorises; the body is JSON, or empty for none.
    pub async fn request(method: &str, path: &str, event: &str, body: &str) -> Answer;
    /// The same with a picture.
    #[wasm_bindgen(js_name = request)]
    pub async fn request_with_picture(method: &str, path: &str, event: &str, body: Vec<u8>) -> Answer;
    /// The promise of the status that the page asked for before this program ran; once, then `None`.
    #[wasm_bindgen(js_name = takeFirstStatus)]
    pub fn take_first_status() -> Option<js_sys::Promise>;
    /// Takes a seat in front of a stream and hears its status, as JSON; the answer is called to leave. The ticket is one
    /// for a private stream, or empty.
    pub fn attend(id: &str, ticket: &str, hear: &js_sys::Function) -> js_sys::Function;
    /// Lets a reaction float over the picture.
    pub fn float(symbol: &str);
    /// Fetches hls.js when the browser is idle.
    #[wasm_bindgen(js_name = warmUp)]
    pub fn warm_up();
    /// `play()`: "playing", "blocked" or "failed".
    pub async fn play(video: &HtmlVideoElement) -> JsValue;
    /// Whether the picture can leave the page.
    #[wasm_bindgen(js_name = canPictureInPicture)]
    pub fn can_picture_in_picture() -> bool;
    /// Moves the picture out of the page or back.
    #[wasm_bindgen(js_name = togglePictureInPicture)]
    pub fn toggle_picture_in_picture(video: &HtmlVideoElement);
    /// Makes the player fill the screen or not.
    #[wasm_bindgen(js_name = toggleFullscreen)]
    pub fn toggle_fullscreen(root: &HtmlElement, video: &HtmlVideoElement);
    /// Whether something fills the screen.
    #[wasm_bindgen(js_name = isFullscreen)]
    pub fn is_fullscreen() -> bool;
    /// Copies text for pasting elsewhere; tells whether that worked.
    #[wasm_bindgen(js_name = copyText)]
    pub async fn copy_text(text: &str) -> JsValue;
    /// Reads a remembered setting.
    pub fn remembered(name: &str) -> Option<String>;
    /// Remembers a setting, where the browser allows it.
    pub fn remember(name: &str, value: &str);
}
