//! The Studio behind its window: what it says, and how it is asked for something.

use std::{pin::Pin, sync::Arc};

use leptos::prelude::*;
use skylark_protocol::{
    event::{Event, UnsignedEvent},
    studio::{Collection, Command, Edit, Item, ItemId, Meters, Outcome, Problem, Snapshot, Source, Update},
};
use wasm_bindgen::prelude::*;

/// The Studio, once it has said how things stand. A handle: copies speak of the same one.
#[derive(Clone, Copy)]
pub(super) struct Backstage {
    /// Everything that is shown.
    pub(super) snapshot: RwSignal<Snapshot>,
    pub(super) meters: RwSignal<Meters>,
    /// Somebody wants to close the window while something is on air.
    pub(super) close_asked: RwSignal<bool>,
    /// The item that is being worked on.
    pub(super) selected: RwSignal<Option<ItemId>>,
    /// Scenes and sources.
    pub(super) collection: Memo<Arc<Collection>>,
}

impl Backstage {
    /// Gives the handle to all components below.
    pub(super) fn provide(first: Snapshot, meters: RwSignal<Meters>, close_asked: RwSignal<bool>) -> Self {
        let snapshot = RwSignal::new(first);
        let collection = Memo::new(move |_| Arc::new(snapshot.with(|now| now.collection.clone())));
        let backstage = Self { snapshot, meters, close_asked, selected: RwSignal::new(None), collection };
        provide_context(backstage);
        backstage
    }

    /// The handle that the window provides.
    pub(super) fn get() -> Self {
        use_context().expect("the window provides the Studio behind it")
    }

    /// A part of the snapshot that is drawn anew only when it changes itself.
    pub(super) fn part<T>(self, part: impl Fn(&Snapshot) -> T + Send + Sync + 'static) -> Memo<T>
    where
        T: PartialEq + Send + Sync + 'static,
    {
        Memo::new(move |_| self.snapshot.with(&part))
    }

    /// Does something, and says what went wrong where the person acted.
    pub(super) fn act(self, trouble: RwSignal<Option<String>>, command: Command) {
        self.then(trouble, command, |_| {});
    }

    /// The same; `then` hears of a good outcome.
    pub(super) fn then(
        self,
        trouble: RwSignal<Option<String>>,
        command: Command,
        then: impl FnOnce(Outcome) + 'static,
    ) {
        leptos::task::spawn_local(async move {
            match ask(&command).await {
                Ok(outcome) => {
                    trouble.try_set(None);
                    then(outcome);
                }
                Err(problem) => _ = trouble.try_set(Some(problem.message)),
            }
        });
    }

    /// Changes scenes, sources or the mixer.
    pub(super) fn edit(self, trouble: RwSignal<Option<String>>, edit: Edit) {
        self.act(trouble, Command::Edit { edit });
    }

    /// The selected item and its source, if they are in the scene that is edited; tracked.
    pub(super) fn selection(self) -> Option<(Item, Source)> {
        let id = self.selected.get()?;
        self.collection.with(|collection| {
            let (scene, item) = collection.item(id)?;
            let source = collection.source(item.source)?;
            (scene.id == collection.edited()).then(|| (item.clone(), source.clone()))
        })
    }

    /// The size of a source's picture, once it is known; tracked.
    pub(super) fn size_of(self, item: &Item) -> Option<(u32, u32)> {
        self.snapshot.with(|now| {
            let state = now.sources.iter().find(|state| state.source == item.source)?;
            (state.width > 0 && state.height > 0).then_some((state.width, state.height))
        })
    }
}

/// Asks the Studio for something.
///
/// # Errors
/// Why it cannot be done.
pub(super) async fn ask(command: &Command) -> Result<Outcome, Problem> {
    let json = serde_json::to_string(command).map_err(|error| Problem::new("window", error.to_string()))?;
    match run(&json).await {
        Ok(outcome) => read(outcome.as_string().unwrap_or_default().as_str()),
        Err(problem) => Err(read(problem.as_string().unwrap_or_default().as_str()).unwrap_or_else(|problem| problem)),
    }
}

fn read<T: serde::de::DeserializeOwned>(json: &str) -> Result<T, Problem> {
    serde_json::from_str(json).map_err(|_| Problem::new("window", "The Studio does not answer as it should."))
}

/// Signs for the chat.
pub(super) fn signer(unsigned: UnsignedEvent) -> Pin<Box<dyn Future<Output = Result<Event, String>>>> {
    Box::pin(async move {
        match ask(&Command::Sign { event: unsigned }).await {
            Ok(Outcome::Signed { event }) => Ok(event),
            Ok(_) => Err("The Studio answered with something else than a signed event.".to_owned()),
            Err(problem) => Err(problem.message),
        }
    })
}

/// Hears everything that the Studio says, as long as the window is there; `fail` hears why there is nothing to hear.
pub(super) fn listen(hear: impl Fn(Update) + 'static, fail: impl FnOnce(Problem) + 'static) {
    let listener = Closure::<dyn Fn(String)>::new(move |json: String| {
        if let Ok(update) = serde_json::from_str(&json) {
            hear(update);
        }
    });
    leptos::task::spawn_local(async move {
        let ended = watch(listener.as_ref().unchecked_ref()).await;
        // As long as the window.
        listener.forget();
        if let Some(problem) = ended.as_string() {
            fail(read(&problem).unwrap_or_else(|problem| problem));
        }
    });
}

#[wasm_bindgen(raw_module = "./backstage.js")]
extern "C" {
    #[wasm_bindgen(catch)]
    async fn run(command: &str) -> Result<JsValue, JsValue>;
    async fn watch(hear: &js_sys::Function) -> JsValue;
    /// Draws a view on a canvas until the answer is called.
    #[wasm_bindgen(js_name = watchPictures)]
    pub(super) fn watch_pictures(view: &str, width: u32, canvas: &web_sys::HtmlCanvasElement) -> js_sys::Function;
    /// The path of a file or folder that a person chose; `kind` is `media`, `image` or `folder`.
    pub(super) async fn choose(kind: &str) -> JsValue;
    /// The path where a person chose to keep a text, under `name` at first; throws a sentence.
    #[wasm_bindgen(catch)]
    pub(super) async fn save(name: &str, text: &str) -> Result<JsValue, JsValue>;
    /// Keys that work behind other programs do nothing while one is chosen.
    #[wasm_bindgen(js_name = holdHotkeys)]
    pub(super) async fn hold_hotkeys(is_held: bool);
    /// Closes the window, whatever is on air.
    pub(super) async fn quit();
    /// Hears an element's width and height whenever they change, until the answer is called.
    pub(super) fn measure(element: &web_sys::Element, hear: &js_sys::Function) -> js_sys::Function;
    /// Height of the window's letters (`1rem`), pixels of the page.
    #[wasm_bindgen(js_name = letterPx)]
    pub(super) fn letter_px() -> f64;
    /// Pixels of the screen per pixel of the page.
    #[wasm_bindgen(js_name = pixelRatio)]
    pub(super) fn pixel_ratio() -> f64;
}
