// Keys in this browser: one that was pasted, for this tab only; and one for a guest, made up and thrown away.
import { decode } from "nostr-tools/nip19";
import { finalizeEvent, generateSecretKey, getPublicKey } from "nostr-tools/pure";
import { bytesToHex, hexToBytes } from "nostr-tools/utils";

const PASTED = "skylark.key";
const GUEST = "skylark.guest";

function signer(secret) {
  return {
    pubkey: getPublicKey(secret),
    sign: async (event) => finalizeEvent(event, secret),
    close: () => secret.fill(0),
  };
}

function read(text) {
  try {
    if (/^[0-9a-fA-F]{64}$/.test(text)) return checked(hexToBytes(text.toLowerCase()));
    const { type, data } = decode(text);
    if (type === "nsec") return checked(data);
  } catch {}
  // What was pasted is not repeated: it may be a key with one letter missing.
  throw new Error("That is not a secret key. It begins with nsec1, or has 64 digits.");
}

/** Not every 32 bytes are a key. */
function checked(secret) {
  getPublicKey(secret);
  return secret;
}

/** Session storage ends with the tab; unlike a variable, it is still there on the next page. */
export const pasted = {
  async open(text) {
    const secret = read(text);
    keep(() => sessionStorage, PASTED, secret);
    return signer(secret);
  },
  async resume() {
    return signer(kept(() => sessionStorage, PASTED));
  },
  forget: () => forget(() => sessionStorage, PASTED),
};

export const guest = {
  async open() {
    const secret = generateSecretKey();
    keep(() => localStorage, GUEST, secret);
    return signer(secret);
  },
  async resume() {
    return signer(kept(() => localStorage, GUEST));
  },
  forget: () => forget(() => localStorage, GUEST),
};

// Storage throws where it is switched off; then the key lives as long as the page.
function keep(storage, name, secret) {
  try {
    storage().setItem(name, bytesToHex(secret));
  } catch {}
}

function kept(storage, name) {
  try {
    return checked(hexToBytes(storage().getItem(name)));
  } catch {
    throw new Error("Please sign in again: the key is no longer here.");
  }
}

function forget(storage, name) {
  try {
    storage().removeItem(name);
  } catch {}
}
