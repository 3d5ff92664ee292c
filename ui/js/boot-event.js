// Starts the page of a live event.
import init from "./event.js";

init({ module_or_path: "/assets/event.wasm" });
