// Starts the Studio's window.
import init from "./studio.js";

// A picture that cannot be loaded gives way to what is behind it. One listener for all of them.
document.addEventListener("error", ({ target }) => target instanceof HTMLImageElement && target.remove(), true);
// A program, not a page: its own menus, no reload by accident.
document.addEventListener("contextmenu", (event) => event.target.closest("input, textarea") || event.preventDefault());

init({ module_or_path: "/assets/studio.wasm" });
