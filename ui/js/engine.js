// hls.js behind the few words that the player needs. What to do about what happens here is decided in Rust
// (`playback`); this file only translates.

// The page of a stream needs hls.js at once; other pages fetch it when they are idle, for the next click.
const onStreamPage = /^\/(s|embed)\//.test(location.pathname);
let library = onStreamPage || location.pathname.startsWith("/e/") ? import("./hls.js") : null;

const CONFIG = {
  lowLatencyMode: true,
  // fMP4 passes through unchanged: a worker would only add a copy and a hop.
  enableWorker: false,
  // `playback::latency` steers speed and position by the real buffer; hls.js must not steer as well.
  maxLiveSyncPlaybackRate: 1,
  liveSyncOnStallIncrease: 0,
  liveMaxLatencyDuration: 60,
  liveSyncDuration: 0.9,
  liveDurationInfinity: true,
  // See `#trim`.
  backBufferLength: Infinity,
  maxBufferLength: 12,
  maxMaxBufferLength: 20,
  // Bandwidth is not measured by a throw-away download before the first picture.
  testBandwidth: false,
  // Retries come from `playback::recovery`, except the quick one that hides a single lost request.
  manifestLoadPolicy: policy(5000, 0, 0),
  playlistLoadPolicy: policy(10000, 2, 300),
  fragLoadPolicy: policy(10000, 3, 200),
};

/** Streams of other servers: as far behind as they ask for, since nothing is known of how they are made. */
const CONFIG_ELSEWHERE = {
  ...CONFIG,
  liveSyncDuration: undefined,
  liveMaxLatencyDuration: undefined,
  liveSyncDurationCount: 3,
  maxBufferLength: 30,
  maxMaxBufferLength: 60,
  manifestLoadPolicy: policy(10000, 1, 500),
};

/** Seconds of played media to keep, and how many there may be before the rest is dropped. */
const BACK_BUFFER_S = 20;
const BACK_BUFFER_MAX_S = 40;

function policy(timeout, retries, delay) {
  const retry = { maxNumRetry: retries, retryDelayMs: delay, maxRetryDelayMs: 4 * delay };
  return { default: { maxTimeToFirstByteMs: timeout, maxLoadTimeMs: 2 * timeout, timeoutRetry: retry, errorRetry: retry } };
}

/** Where a piece of the page's own start-up data waits until Rust asks for it. */
let firstStatus = null;

/** Asks for the stream's status before the wasm is there; `takeFirstStatus` hands it over once. */
export function prefetchStatus() {
  const id = onStreamPage && location.pathname.split("/")[2];
  if (id) firstStatus = fetchText(`/api/v1/streams/${encodeURIComponent(id)}/status`);
}

export function takeFirstStatus() {
  const taken = firstStatus;
  firstStatus = null;
  return taken;
}

/** `{ status, text, sent, received }`; `status` is 0 when there was no answer. Times are `Date.now()`. */
export async function fetchText(path, cache = "no-store", headers = {}) {
  const sent = Date.now();
  try {
    const answer = await fetch(path, { cache, headers, signal: AbortSignal.timeout(8000) });
    const received = Date.now();
    return { status: answer.status, text: await answer.text(), sent, received };
  } catch {
    return { status: 0, text: "", sent, received: Date.now() };
  }
}

/** The same, but the browser may use what it has if the origin says that nothing has changed. */
export function fetchKept(path) {
  return fetchText(path, "default");
}

/** The same for a guest of a private stream. */
export function fetchWithTicket(path, ticket) {
  return fetchText(path, "no-store", { Authorization: `Bearer ${ticket}` });
}

/** The same for a request that `event`, a signed event as JSON, authorises (NIP-98); a body that is no text is a picture. */
export async function request(method, path, event, body) {
  const sent = Date.now();
  // JSON may hold any character, base64 only bytes.
  const token = btoa(String.fromCharCode(...new TextEncoder().encode(event)));
  const headers = { Authorization: `Nostr ${token}` };
  if (body) headers["Content-Type"] = typeof body === "string" ? "application/json" : "image/jpeg";
  try {
    const signal = AbortSignal.timeout(15000);
    const answer = await fetch(path, { method, headers, body: body || undefined, cache: "no-store", signal });
    return { status: answer.status, text: await answer.text(), sent, received: Date.now() };
  } catch {
    return { status: 0, text: "", sent, received: Date.now() };
  }
}

/** Sets a mark once what the page shows now has been painted. */
export function markWhenDrawn(name) {
  requestAnimationFrame(() => setTimeout(() => performance.mark(name)));
}

/** What looks like one WebSocket and speaks for several relays, separated by spaces; see `outside.js`. */
export function openRelays(urls) {
  const face = { readyState: 0, send() {}, close: () => (face.close = null) };
  const lost = () => face.onclose?.();
  import("./outside.js").then(({ join }) => face.close && join(face, urls.split(" ")), lost);
  return face;
}

export function replaceQuery(query) {
  history.replaceState(null, "", location.pathname + (query && `?${query}`));
}

/** Where the viewer's own name is kept: the tabs of one browser are one viewer. */
const VIEWER = "skylark.viewer";
const RETRY_MS = 4000;

/** Takes a seat in front of a stream, and hears its status as JSON whenever it changes; the answer leaves again. */
export function attend(id, ticket, hear) {
  let viewer = remembered(VIEWER);
  if (!viewer) remember(VIEWER, (viewer = crypto.randomUUID?.() ?? String(Math.random())));
  let socket, timer;
  const sit = () => {
    socket = new WebSocket(`${location.origin.replace("http", "ws")}/api/v1/streams/${id}/ws?viewer=${viewer}&ticket=${ticket}`);
    socket.onmessage = ({ data }) => hear(data);
    // Spread out, so that not all pages come back at once.
    socket.onclose = () => (timer = setTimeout(sit, RETRY_MS * (0.5 + Math.random())));
  };
  sit();
  return () => {
    clearTimeout(timer);
    socket.onmessage = socket.onclose = null;
    socket.close();
  };
}

/** Reactions that float over the picture at once, and how long each does. */
const MAX_BURSTS = 24;
const BURST_MS = 3600;

/** Lets a reaction float over the picture; one too many is left out. */
export function float(symbol) {
  const layer = document.querySelector(".bursts");
  if (!layer || layer.childElementCount >= MAX_BURSTS) return;
  const burst = document.createElement("span");
  burst.className = "burst";
  burst.textContent = symbol;
  burst.style.left = `${4 + Math.random() * 86}%`;
  layer.append(burst);
  setTimeout(() => burst.remove(), BURST_MS);
}

/** Loads hls.js into the browser's cache once nothing else is going on. */
export function warmUp() {
  const later = window.requestIdleCallback ?? ((run) => setTimeout(run, 500));
  later(() => (library ??= import("./hls.js")));
}

/**
 * Plays one playlist in one `<video>`.
 *
 * `listener(kind, number, text)` hears:
 *   levels                              the renditions are known
 *   level     index                     this rendition is played
 *   appended  forward buffer before, as text the one after   media arrived
 *   ended                               the playlist has its end
 *   error     1 if fatal, "network|media|unsupported|other details status"
 */
export class Engine {
  #video;
  #listener;
  #hls = null;
  #native = false;
  #destroyed = false;
  #bufferedEnd = 0;

  constructor(video, listener) {
    this.#video = video;
    this.#listener = listener;
  }

  async load(url) {
    let Hls;
    try {
      Hls = (await (library ??= import("./hls.js"))).default;
    } catch {
      library = null;
      if (!this.#destroyed) this.#listener("error", 1, "network player-script 0");
      return;
    }
    if (this.#destroyed) return;
    if (Hls.isSupported()) this.#loadWith(Hls, url);
    else if (this.#video.canPlayType("application/vnd.apple.mpegurl")) {
      this.#native = true;
      this.#video.src = url;
    } else this.#listener("error", 1, "unsupported no-media-source 0");
  }

  #loadWith(Hls, url) {
    const isOurs = new URL(url, location.href).origin === location.origin;
    const hls = (this.#hls = new Hls(isOurs ? CONFIG : CONFIG_ELSEWHERE));
    const { Events, ErrorTypes } = Hls;
    hls.on(Events.MANIFEST_PARSED, () => this.#listener("levels", hls.levels.length, ""));
    hls.on(Events.LEVEL_SWITCHED, (_, { level }) => this.#listener("level", level, ""));
    hls.on(Events.BUFFER_APPENDED, () => this.#appended());
    hls.on(Events.FRAG_BUFFERED, () => this.#trim(hls, Events.BUFFER_FLUSHING));
    hls.on(Events.LEVEL_UPDATED, (_, { details }) => details.live || this.#listener("ended", 0, ""));
    hls.on(Events.ERROR, (_, data) => {
      const unsupported = data.details === "manifestIncompatibleCodecsError" || data.details === "bufferAddCodecError";
      const kinds = { [ErrorTypes.NETWORK_ERROR]: "network", [ErrorTypes.MEDIA_ERROR]: "media" };
      const kind = unsupported ? "unsupported" : (kinds[data.type] ?? "other");
      this.#listener("error", data.fatal ? 1 : 0, `${kind} ${data.details} ${data.response?.code ?? 0}`);
    });
    hls.loadSource(url);
    hls.attachMedia(this.#video);
  }

  #appended() {
    const before = this.#bufferedEnd;
    const end = this.bufferedEnd();
    if (end === before) return;
    this.#bufferedEnd = end;
    const now = this.#video.currentTime;
    this.#listener("appended", before - now, String(end - now));
  }

  /**
   * Drops what was played long ago, but only between two segments. When hls.js (1.7.4) removes anything from the buffer
   * while it has only some of a segment's parts, it forgets that it loaded them; and if the buffer then ends a
   * microsecond before the segment does, it waits for them until the playlist lists them no more: seconds of stall.
   */
  #trim(hls, flushing) {
    const { currentTime, buffered } = this.#video;
    const last = hls.latestLevelDetails?.fragments.at(-1);
    const between = last && Math.abs(this.bufferedEnd() - last.end) < 0.05;
    if (between && buffered.length && currentTime - buffered.start(0) > BACK_BUFFER_MAX_S) {
      hls.trigger(flushing, { startOffset: 0, endOffset: currentTime - BACK_BUFFER_S, type: null });
    }
  }

  /** End of the buffered range that reaches furthest, in media time. */
  bufferedEnd() {
    const { buffered } = this.#video;
    return buffered.length ? buffered.end(buffered.length - 1) : 0;
  }

  /** Start of that range. */
  bufferedStart() {
    const { buffered } = this.#video;
    return buffered.length ? buffered.start(buffered.length - 1) : 0;
  }

  /** End of what the playlist lists, in media time; 0 while unknown. */
  edge() {
    return this.#hls?.latestLevelDetails?.edge ?? 0;
  }

  /** Target duration of a part, or of a segment where there are no parts, in seconds; 0 while unknown. */
  stride() {
    const details = this.#hls?.latestLevelDetails;
    return details ? details.partTarget || details.targetduration : 0;
  }

  /** Unix milliseconds at which the picture on screen was received by the origin; NaN while unknown. */
  playingDate() {
    if (this.#hls) return this.#hls.playingDate?.getTime() ?? NaN;
    const start = this.#video.getStartDate?.().getTime();
    return start ? start + this.#video.currentTime * 1000 : NaN;
  }

  /** One line per rendition: height, frame rate, bits per second. */
  levels() {
    return (this.#hls?.levels ?? []).map((one) => `${one.height} ${Math.round(one.frameRate)} ${one.bitrate}`).join("\n");
  }

  /** Plays rendition `index` from now on, or lets the bandwidth decide for -1. */
  setLevel(index) {
    if (this.#hls) this.#hls.nextLevel = index;
  }

  /** Goes on with the next rendition down, if the bandwidth decides; what is believed of the bandwidth is halved. */
  lower() {
    const hls = this.#hls;
    const now = hls?.levels[hls.loadLevel];
    if (!now || !hls.autoLevelEnabled) return;
    hls.bandwidthEstimate = now.bitrate / 2;
    hls.nextAutoLevel = Math.max(hls.loadLevel - 1, hls.minAutoLevel);
  }

  recoverMedia() {
    this.#hls?.recoverMediaError();
  }

  /** Whether the browser plays HLS without our help: then buffer and speed are its own affair. */
  native() {
    return this.#native;
  }

  /** Lets go of the `<video>`; what it showed last stays on `still`, a `<canvas>` below it. */
  destroy(still) {
    this.#destroyed = true;
    keepPicture(this.#video, still);
    this.#hls?.destroy();
    this.#hls = null;
    this.#video.removeAttribute("src");
  }
}

function keepPicture(video, canvas) {
  if (video.readyState < 2 || !video.videoWidth) return;
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext("2d").drawImage(video, 0, 0);
}

/** `play()` that tells how it went: "playing", "blocked" by the autoplay rules, or "failed". */
export async function play(video) {
  try {
    await video.play();
    return "playing";
  } catch (error) {
    return error.name === "NotAllowedError" ? "blocked" : "failed";
  }
}

export function canPictureInPicture() {
  return Boolean(document.pictureInPictureEnabled || "webkitSetPresentationMode" in HTMLVideoElement.prototype);
}

export function togglePictureInPicture(video) {
  if (document.pictureInPictureElement) return void document.exitPictureInPicture();
  if (video.requestPictureInPicture) return void video.requestPictureInPicture().catch(() => {});
  video.webkitSetPresentationMode?.("picture-in-picture");
}

/** Fullscreen of the whole player; phones that only know fullscreen video get that. */
export function toggleFullscreen(root, video) {
  if (document.fullscreenElement ?? document.webkitFullscreenElement) {
    (document.exitFullscreen ?? document.webkitExitFullscreen).call(document);
  } else if (root.requestFullscreen) {
    root.requestFullscreen().catch(() => {});
  } else if (root.webkitRequestFullscreen) {
    root.webkitRequestFullscreen();
  } else {
    video.webkitEnterFullscreen?.();
  }
}

export function isFullscreen() {
  return Boolean(document.fullscreenElement ?? document.webkitFullscreenElement);
}

export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

// Storage throws where it is switched off.
export function remembered(name) {
  try {
    return localStorage.getItem(name) ?? undefined;
  } catch {
    return undefined;
  }
}

export function remember(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {}
}
