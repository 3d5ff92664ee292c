// Who has signed in, as far as the page knows without a key. Keys are seen by `identity` alone, which is fetched when
// somebody signs in or signs.

const KEPT = "skylark.account";
let identity = null;
/** Hears what a signer wants a person to see; see `identity/index.js`. */
let hear = () => {};

async function room() {
  try {
    return await (identity ??= import("./identity.js"));
  } catch {
    identity = null;
    throw new Error("The part of this site that signs could not be loaded. Are you online?");
  }
}

/** A pasted key lives as long as its tab, and so does the knowledge of whose it is. */
const storages = (method) => (method === "key" ? sessionStorage : localStorage);

/** `"METHOD PUBKEY"` of whoever is signed in. */
export function account() {
  try {
    return sessionStorage.getItem(KEPT) ?? localStorage.getItem(KEPT) ?? undefined;
  } catch {
    return undefined;
  }
}

export function listen(listener) {
  hear = listener;
}

/** Signs in; answers the public key. Throws errors that a person can read. */
export async function signIn(method, text) {
  const pubkey = await (await room()).open(method, text, (kind, words, picture) => hear(kind, words, picture ?? ""));
  try {
    forget();
    storages(method).setItem(KEPT, `${method} ${pubkey}`);
  } catch {}
  return pubkey;
}

export async function cancelSignIn() {
  if (identity) (await room()).cancel();
}

/** Signs an event, as JSON without `id` and `sig`; answers it as JSON with them. */
export async function sign(json) {
  const [method, pubkey] = (account() ?? "").split(" ");
  const { resume, sign } = await room();
  const resumed = method && (await resume(method, (kind, words) => hear(kind, words, "")));
  if (resumed && resumed !== pubkey) throw new Error("The signer now has another key. Sign out, and in again.");
  return JSON.stringify(await sign(JSON.parse(json)));
}

export async function signOut() {
  forget();
  (await room()).close();
}

function forget() {
  try {
    sessionStorage.removeItem(KEPT);
    localStorage.removeItem(KEPT);
  } catch {}
}
