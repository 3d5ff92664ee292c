// Whether a signer signed what it was asked to. An extension or a bunker is another's program.
import { verifyEvent } from "nostr-tools/pure";

export function check(unsigned, answered) {
  // A copy: nostr-tools marks objects that it has checked, and the answer could bring such a mark along.
  const { id, pubkey, created_at, kind, tags, content, sig } = answered ?? {};
  const signed = { id, pubkey, created_at, kind, tags, content, sig };
  for (const field of ["pubkey", "created_at", "kind", "tags", "content"]) {
    if (JSON.stringify(signed[field]) !== JSON.stringify(unsigned[field])) {
      const what = field === "pubkey" ? "It signs with another key than the one you signed in with." : `It changed “${field}”.`;
      throw new Error(`The signer did not sign what it was asked to. ${what}`);
    }
  }
  if (!verifyEvent(signed)) throw new Error("The signer’s signature is not valid.");
  return signed;
}

/** A public key as signers answer it, or an error. */
export function checkedKey(text) {
  if (typeof text === "string" && /^[0-9a-f]{64}$/.test(text)) return text;
  throw new Error("The signer did not answer with a public key.");
}

/** The promise, or an error with this message after so long. */
export function within(ms, message, promise) {
  let timer;
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error(message)), ms)));
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
