// NIP-07: a browser extension that keeps the key.
import { checkedKey, within } from "./check.js";

/** Extensions may come up a moment after the page. */
const APPEARANCE_MS = 1500;
/** A person may have to find and answer the extension's question. */
const PATIENCE_MS = 120_000;
const LATE = "The extension did not answer. Look for its window, then try again.";

async function provider() {
  for (const deadline = Date.now() + APPEARANCE_MS; ; ) {
    if (window.nostr?.signEvent) return window.nostr;
    if (Date.now() > deadline) break;
    await new Promise((next) => setTimeout(next, 50));
  }
  throw new Error("No signing extension was found. Install one, such as nos2x or Alby, and reload this page.");
}

/** Refusals come in every form: a string, an error, nothing. */
async function ask(question) {
  try {
    return await within(PATIENCE_MS, LATE, question());
  } catch (refusal) {
    if (refusal?.message === LATE) throw refusal;
    throw new Error("The extension refused.", { cause: refusal });
  }
}

async function open() {
  const nostr = await provider();
  const pubkey = checkedKey(await ask(() => nostr.getPublicKey()));
  return { pubkey, sign: (event) => ask(() => nostr.signEvent(event)), close() {} };
}

export const extension = { open, resume: open };
