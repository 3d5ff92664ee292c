// Starts the site. The page has asked for the wasm already; both requests are the same one for the browser.
import init from "./viewer.js";

init({ module_or_path: "/assets/viewer.wasm" });
