// Compiles viewer.css with the Tailwind classes that the sources use, and minifies it for the browsers we support. The
// other sheets, which single pages load besides, are only minified.
// Tailwind's own command line would do, but it needs native packages that not every registry mirror carries.
//
//   node style/build.mjs SHEET OUTPUT   (in ui/)
import { readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { compile } from "tailwindcss";
import { transform } from "lightningcss";

const [sheet, output] = process.argv.slice(2);

/** Every word in the Rust sources that could be a class name; Tailwind ignores those that are none. */
async function candidates(folder) {
  const words = new Set();
  for (const file of await readdir(folder, { recursive: true })) {
    // The Studio's window has a sheet of its own, which viewers do not load.
    if (!file.endsWith(".rs") || file.startsWith("studio/")) continue;
    const text = await readFile(join(folder, file), "utf8");
    for (const word of text.split(/[\s"'`{}=;<>]+/)) words.add(word);
  }
  return [...words];
}

async function loadStylesheet(id, base) {
  const path = id === "tailwindcss" ? "node_modules/tailwindcss/index.css" : join(base, id);
  return { path, base, content: await readFile(path, "utf8") };
}

const source = await readFile(join("style", sheet), "utf8");

async function withTailwind() {
  const compiler = await compile(source, { base: "style", loadStylesheet });
  return compiler.build(await candidates("src"));
}

const { code } = transform({
  filename: sheet,
  code: Buffer.from(sheet === "viewer.css" ? await withTailwind() : source),
  minify: true,
  // Firefox 121, Safari and iOS 16.4, Chrome 111: what Tailwind 4 itself asks for.
  targets: { chrome: 111 << 16, safari: (16 << 16) | (4 << 8), ios_saf: (16 << 16) | (4 << 8), firefox: 121 << 16 },
});
await writeFile(output, code);
