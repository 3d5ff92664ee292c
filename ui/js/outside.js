// Several relays of other people behind the face of one WebSocket, for chats of live events that are announced
// elsewhere. Unlike our own relay, nobody has looked at what they send: signatures are checked here, and there are
// limits. Bundled with nostr-tools; fetched when somebody opens such a live event.
import { verifyEvent } from "nostr-tools/pure";

/** Relays at once. */
const MAX_RELAYS = 5;
/** Longest message, characters. */
const MAX_MESSAGE = 128 * 1024;
/** Events whose ids are remembered, so that each is shown once. */
const MAX_SEEN = 10_000;
/** Events that wait for their signature to be checked; more are not taken. */
const MAX_WAITING = 1_000;
/** Signatures that are checked before the page gets a turn. */
const AT_ONCE = 8;
/** Once one relay has sent all it has, the others get so long, milliseconds. */
const SLOW_MS = 2_500;
/** A relay that hung up is called again after so long, while another one is there. */
const AGAIN_MS = 20_000;

const OPEN = 1;
const CLOSED = 3;

/** Lets `face`, whose `onopen`, `onmessage` and `onclose` somebody sets, speak for all of `urls`. */
export function join(face, urls) {
  const sockets = new Map();
  const requests = new Map();
  const published = new Map();
  const seen = new Set();
  const waiting = [];
  let ended = false;

  const open = () => [...sockets.values()].filter((socket) => socket.readyState === OPEN);
  const tell = (...message) => ended || face.onmessage?.({ data: JSON.stringify(message) });

  function call(url) {
    if (ended) return;
    let socket;
    try {
      socket = new WebSocket(url);
    } catch {
      // Without TLS from a page with TLS, or no URL at all.
      return gone(url);
    }
    sockets.set(url, socket);
    socket.onopen = () => {
      for (const { text } of requests.values()) socket.send(text);
      if (face.readyState === OPEN) return;
      face.readyState = OPEN;
      face.onopen?.();
    };
    socket.onmessage = ({ data }) => typeof data === "string" && data.length <= MAX_MESSAGE && hear(url, data);
    socket.onclose = () => gone(url);
  }

  function gone(url) {
    sockets.delete(url);
    if (ended) return;
    for (const name of requests.keys()) settle(name);
    if (sockets.size) setTimeout(() => sockets.has(url) || call(url), AGAIN_MS);
    else if (face.readyState !== CLOSED) {
      face.readyState = CLOSED;
      face.onclose?.();
    }
  }

  function hear(url, data) {
    let message;
    try {
      message = JSON.parse(data);
    } catch {
      return;
    }
    const [type, name, first, second] = Array.isArray(message) ? message : [];
    if (type === "EVENT") take(url, name, first);
    else if (type === "EOSE" || type === "CLOSED") {
      requests.get(name)?.done.add(url);
      settle(name);
    } else if (type === "OK") answer(url, name, first, second);
  }

  /** Tells that what is stored is there, once all relays have said so, or one has and the others take long. */
  function settle(name) {
    const request = requests.get(name);
    if (!request || request.told) return;
    const tellNow = () => {
      if (request.told || requests.get(name) !== request) return;
      // After the events before it.
      request.told = true;
      waiting.push({ name, last: true });
      work();
    };
    if (open().every(({ url }) => request.done.has(keyOf(url))) && ![...sockets.values()].some((one) => one.readyState === 0)) tellNow();
    else if (request.done.size && !request.timer) request.timer = setTimeout(tellNow, SLOW_MS);
  }

  const keyOf = (url) => [...sockets].find(([, socket]) => socket.url === url)?.[0];

  function take(url, name, event) {
    const { id, pubkey, created_at, kind, tags, content, sig } = event ?? {};
    // With its signature: a false copy does not stand in the true one's way.
    const key = `${name} ${id} ${sig}`;
    if (!requests.has(name) || typeof id !== "string" || seen.has(key)) return;
    // Nor does one relay's flood fill the others' places.
    if (waiting.filter((one) => one.url === url).length >= MAX_WAITING / MAX_RELAYS) return;
    if (seen.size >= MAX_SEEN) seen.clear();
    seen.add(key);
    // A copy: nostr-tools marks objects that it has checked, and the answer could bring such a mark along.
    waiting.push({ name, url, event: { id, pubkey, created_at, kind, tags, content, sig } });
    work();
  }

  let working = false;
  function work() {
    if (working) return;
    working = true;
    setTimeout(() => {
      working = false;
      for (const { name, event, last } of waiting.splice(0, AT_ONCE)) {
        if (last) tell("EOSE", name);
        else if (isTrue(event)) tell("EVENT", name, event);
      }
      if (waiting.length && !ended) work();
    });
  }

  /** The first relay that takes an event counts; it is refused when all have refused it. */
  function answer(url, id, taken, reason) {
    const left = published.get(id);
    if (!left?.delete(url) || (!taken && left.size > 0)) return;
    published.delete(id);
    tell("OK", id, taken === true, String(reason ?? ""));
  }

  face.send = (text) => {
    const [type, name] = JSON.parse(text);
    const to = open();
    if (type === "REQ") requests.set(name, { text, done: new Set(), told: false });
    else if (type === "CLOSE") requests.delete(name);
    else if (type === "EVENT") published.set(name.id, new Set(to.map((socket) => keyOf(socket.url))));
    for (const socket of to) socket.send(text);
  };

  face.close = () => {
    ended = true;
    for (const socket of sockets.values()) socket.close();
    sockets.clear();
  };

  for (const url of urls.slice(0, MAX_RELAYS)) sockets.set(url, { readyState: 0, close() {} });
  for (const url of [...sockets.keys()]) call(url);
}

function isTrue(event) {
  try {
    return verifyEvent(event);
  } catch {
    return false;
  }
}
