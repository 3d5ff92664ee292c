// Starts the site: everything that can be asked for at once is asked for at once.
import { prefetchStatus } from "./engine.js";
import init from "./viewer.js";

prefetchStatus();
init({ module_or_path: "/assets/viewer.wasm" });
