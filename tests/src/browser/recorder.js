// Notes what the page's <video> does, for the tests to read. Times are Unix milliseconds.
(() => {
  const now = () => performance.timeOrigin + performance.now();
  const recording = {
    frames: [], events: [], errors: [], opened_ms: performance.timeOrigin,
    page: Math.random().toString(36).slice(2),
  };
  window.skylarkRecording = recording;
  window.addEventListener("error", (event) => recording.errors.push(String(event.message ?? event.target?.src)), true);
  window.addEventListener("unhandledrejection", (event) => recording.errors.push(String(event.reason)));
  document.addEventListener("securitypolicyviolation", (event) => recording.errors.push(`CSP: ${event.violatedDirective} ${event.blockedURI}`));

  // The picture is a grid of 16 x 9 cells whose top row is the frame's number, least significant bit first.
  const canvas = document.createElement("canvas");
  canvas.width = 160;
  canvas.height = 90;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const number = (video) => {
    context.drawImage(video, 0, 0, 160, 90);
    const row = context.getImageData(0, 5, 160, 1).data;
    let value = 0;
    for (let bit = 0; bit < 16; bit++) {
      if (row[(bit * 10 + 5) * 4] > 128) value |= 1 << bit;
    }
    return value;
  };
  const watch = (video) => {
    for (const name of ["playing", "waiting", "stalled", "pause", "ended", "error", "seeking"]) {
      video.addEventListener(name, () => recording.events.push([name, now()]));
    }
    const next = (at, frame) => {
      recording.frames.push({ media_time: frame.mediaTime, at_ms: now(), number: number(video) });
      video.requestVideoFrameCallback(next);
    };
    video.requestVideoFrameCallback(next);
  };
  const seen = new WeakSet();
  new MutationObserver(() => {
    for (const video of document.querySelectorAll("video")) {
      if (!seen.has(video)) {
        seen.add(video);
        watch(video);
      }
    }
  }).observe(document, { childList: true, subtree: true });
})();
