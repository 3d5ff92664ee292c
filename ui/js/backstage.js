// The Studio behind its window: commands in, snapshots, meters and pictures out. JSON is read and written in Rust.

const { invoke, Channel } = window.__TAURI__.core;

/** A command and its outcome, as JSON. Throws the problem, as JSON. */
export async function run(command) {
  try {
    return JSON.stringify(await invoke("run", { command: JSON.parse(command) }));
  } catch (problem) {
    throw typeof problem === "string" ? JSON.stringify({ code: "window", message: problem }) : JSON.stringify(problem);
  }
}

/** Hears everything that the Studio says, as JSON; answers a problem as JSON, or nothing. */
export async function watch(hear) {
  const channel = new Channel();
  let isReady = false;
  channel.onmessage = (update) => {
    hear(JSON.stringify(update));
    if (isReady) return;
    isReady = true;
    // After the frame that shows it was painted.
    requestAnimationFrame(() => setTimeout(() => invoke("ready")));
  };
  try {
    await invoke("watch", { channel });
  } catch (problem) {
    return typeof problem === "string" ? JSON.stringify({ code: "window", message: problem }) : JSON.stringify(problem);
  }
}

/** Draws `view` ("program" or "preview") on a canvas, about `width` pixels wide, until the answer is called. */
export function watchPictures(view, width, canvas) {
  const context = canvas.getContext("2d", { alpha: false });
  const channel = new Channel();
  let isOver = false;
  let drawn = 0;
  channel.onmessage = async (jpeg) => {
    try {
      const picture = await createImageBitmap(new Blob([jpeg], { type: "image/jpeg" }));
      if (!isOver) {
        if (canvas.width !== picture.width || canvas.height !== picture.height) {
          canvas.width = picture.width;
          canvas.height = picture.height;
        }
        context.drawImage(picture, 0, 0);
        canvas.dataset.frames = ++drawn;
      }
      picture.close();
    } catch {
      // A picture that cannot be read is followed by another.
    }
    // The first may be here before its number is.
    const id = await opened;
    if (id !== undefined) await invoke("acknowledge", { id });
  };
  const opened = invoke("watch_pictures", { view, width, channel }).catch(() => undefined);
  return () => {
    isOver = true;
    opened.then((id) => id !== undefined && invoke("end_pictures", { id }));
  };
}

/** A file or folder that a person chose: its path, or nothing. `kind` is "media", "image" or "folder". */
export function choose(kind) {
  return invoke("choose", { kind });
}

/** Where a person chose to keep a text, under `name` at first; nothing when they did not. Throws a sentence. */
export async function save(name, text) {
  try {
    return await invoke("save", { name, text });
  } catch (problem) {
    throw problem?.message ?? String(problem);
  }
}

/** Closes the window, whatever is on air. */
export function quit() {
  return invoke("quit");
}

/** Hears the width and height of an element whenever it changes, until the answer is called. */
export function measure(element, hear) {
  const observer = new ResizeObserver(() => hear(element.clientWidth, element.clientHeight));
  observer.observe(element);
  return () => observer.disconnect();
}

export function pixelRatio() {
  return window.devicePixelRatio || 1;
}

/** Keys that work behind other programs do nothing while one is chosen: the window is told of all of them then. */
export async function holdHotkeys(isHeld) {
  await invoke("hold_hotkeys", { isHeld });
}

/** Height of the window's letters (`1rem`), pixels of the page. */
export function letterPx() {
  return parseFloat(getComputedStyle(document.documentElement).fontSize) || 16;
}
