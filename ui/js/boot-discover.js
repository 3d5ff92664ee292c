// Starts the front page.
import init from "./discover.js";

// A picture that cannot be loaded gives way to what is behind it. One listener for all of them.
document.addEventListener("error", ({ target }) => target instanceof HTMLImageElement && target.remove(), true);

init({ module_or_path: "/assets/discover.wasm" });
