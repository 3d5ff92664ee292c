// Makes a person's picture fit to be sent: small, and without what a camera writes into it, such as the place.

/** Larger sides are scaled down to these. */
const MAX_WIDTH = 1280;
const MAX_HEIGHT = 720;
const QUALITY = 0.85;

/** `{ bytes, url }` of the picture in an `<input type=file>`; `url` shows it. Throws when it is none. */
export async function readPicture(input) {
  const picture = await createImageBitmap(input.files[0]);
  const scale = Math.min(1, MAX_WIDTH / picture.width, MAX_HEIGHT / picture.height);
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(picture.width * scale));
  canvas.height = Math.max(1, Math.round(picture.height * scale));
  canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  picture.close();
  const url = canvas.toDataURL("image/jpeg", QUALITY);
  const binary = atob(url.slice(url.indexOf(",") + 1));
  return { bytes: Uint8Array.from(binary, (character) => character.charCodeAt(0)), url };
}
