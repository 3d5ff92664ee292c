// Starts the streamers' page.
import init from "./dashboard.js";

init({ module_or_path: "/assets/dashboard.wasm" });
