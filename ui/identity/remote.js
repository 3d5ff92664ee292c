// NIP-46: a signer elsewhere, reached over relays. What is kept here is the key of the connection, never the person's.
import { BunkerSigner, createNostrConnectURI, parseBunkerInput } from "nostr-tools/nip46";
import { generateSecretKey, getPublicKey } from "nostr-tools/pure";
import { bytesToHex, hexToBytes } from "nostr-tools/utils";
import { encode } from "uqr";
import { checkedKey, within } from "./check.js";

const KEPT = "skylark.bunker";
/** Time to find the phone and say yes. */
const APPROVAL_MS = 180_000;
const SIGNING_MS = 60_000;
/** What the site will ask for, so that a signer can allow it at once. */
const KINDS = [0, 5, 7, 1311, 1984, 9734, 10000, 10312, 22242, 27235, 30078, 30311];
const LATE = "The signer did not answer. Is it running, and can it reach its relays?";

async function signer(remote) {
  const pubkey = checkedKey(await ask(APPROVAL_MS, () => remote.getPublicKey()));
  return {
    pubkey,
    // The event's author is the signer's affair: NIP-46 sends only what it cannot know.
    sign: ({ kind, content, tags, created_at }) =>
      ask(SIGNING_MS, () => remote.signEvent({ kind, content, tags, created_at })),
    close: () => remote.close().catch(() => {}),
  };
}

async function ask(patience, question) {
  try {
    return await within(patience, LATE, question());
  } catch (refusal) {
    if (refusal?.message === LATE) throw refusal;
    if (refusal instanceof AggregateError) throw new Error("None of the signer’s relays can be reached.");
    throw new Error(`The signer refused: ${String(refusal?.message ?? refusal).slice(0, 200)}`);
  }
}

function keep(secret, { pubkey, relays }) {
  try {
    localStorage.setItem(KEPT, JSON.stringify({ secret: bytesToHex(secret), pubkey, relays }));
  } catch {}
}

async function resume(hear) {
  let kept;
  try {
    kept = JSON.parse(localStorage.getItem(KEPT));
    kept.secret = hexToBytes(kept.secret);
  } catch {
    throw new Error("Please sign in again: the connection to the signer is no longer here.");
  }
  const pointer = { pubkey: kept.pubkey, relays: kept.relays, secret: null };
  return signer(BunkerSigner.fromBunker(kept.secret, pointer, { onauth: (url) => hear("open", url) }));
}

function forget() {
  try {
    localStorage.removeItem(KEPT);
  } catch {}
}

/** `bunker://…`, or a name at a domain that has one. */
export const bunker = {
  async open(text, hear) {
    const pointer = await parseBunkerInput(text).catch(() => null);
    if (!pointer?.relays.length) throw new Error("That is no address of a signer. It begins with bunker:// and names a relay.");
    const secret = generateSecretKey();
    const remote = BunkerSigner.fromBunker(secret, pointer, { onauth: (url) => hear("open", url) });
    await ask(APPROVAL_MS, () => remote.connect({ name: "Skylark", url: location.origin }));
    const opened = await signer(remote);
    keep(secret, remote.bp);
    return opened;
  },
  resume,
  forget,
};

/** `nostrconnect://…`: the signer comes to us, by way of the relay in `text`. */
export const connect = {
  async open(text, hear) {
    if (!/^wss?:\/\/[^\s"'<>]+$/.test(text)) throw new Error("The relay’s address begins with wss://");
    const secret = generateSecretKey();
    const uri = createNostrConnectURI({
      clientPubkey: getPublicKey(secret),
      relays: [text],
      secret: bytesToHex(crypto.getRandomValues(new Uint8Array(16))),
      perms: KINDS.map((kind) => `sign_event:${kind}`),
      name: "Skylark",
      url: location.origin,
    });
    hear("connect", uri, picture(uri));
    const params = { onauth: (url) => hear("open", url), skipSwitchRelays: true };
    const remote = await within(APPROVAL_MS, "Nobody scanned the code in time.", BunkerSigner.fromURI(secret, uri, params, APPROVAL_MS));
    const opened = await signer(remote);
    keep(secret, remote.bp);
    return opened;
  },
  resume,
  forget,
};

/** A QR code as "SIZE PATH", one stroke per run of dark modules. */
function picture(text) {
  const { size, data } = encode(text, { ecc: "L", border: 3 });
  let path = "";
  data.forEach((row, y) => {
    for (let x = 0; x < size; x++) {
      const start = x;
      while (x < size && row[x]) x++;
      if (x > start) path += `M${start} ${y}h${x - start}v1h-${x - start}z`;
    }
  });
  return `${size} ${path}`;
}
