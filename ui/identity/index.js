// The only room that sees a key. It is loaded when somebody signs in, or signs for the first time after that.
//
//   open(method, text, hear)   signs in; answers the public key. `method` is one of METHODS.
//   resume(method)             the same with what was kept at an earlier sign-in; throws when nothing was
//   sign(event)                an unsigned event → the signed one, checked
//   close()                    signs out and forgets what was kept
//
// `hear(kind, text, picture)` is told what a person has to see in between:
//   open      an address of the signer's that wants to be visited
//   connect   the nostrconnect:// address to be scanned, and its QR code as "SIZE PATH"
import { check } from "./check.js";
import { extension } from "./extension.js";
import { guest, pasted } from "./local.js";
import { bunker, connect } from "./remote.js";

/** Ways to sign in: each makes a signer `{ pubkey, sign(event), close() }` out of what was typed or kept. */
const METHODS = { extension, bunker, connect, key: pasted, guest };

let signer = null;
/** Counts attempts: one that was given up must not sign in later. */
let attempt = 0;

export async function open(method, text, hear) {
  const mine = ++attempt;
  const opened = await METHODS[method].open(text.trim(), (...words) => mine === attempt && hear(...words));
  if (mine !== attempt) {
    opened.close();
    throw new Error("Signing in was cancelled.");
  }
  signer = opened;
  return signer.pubkey;
}

/** Gives up an attempt to sign in that is under way. */
export function cancel() {
  attempt++;
}

export async function resume(method, hear) {
  signer ??= await METHODS[method].resume(hear);
  return signer.pubkey;
}

export async function sign(unsigned) {
  if (!signer) throw new Error("Nobody is signed in.");
  if (unsigned.pubkey !== signer.pubkey) throw new Error("Somebody else has signed in meanwhile.");
  return check(unsigned, await signer.sign(structuredClone(unsigned)));
}

export function close() {
  attempt++;
  signer?.close();
  signer = null;
  for (const method of Object.values(METHODS)) method.forget?.();
}
