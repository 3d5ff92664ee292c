// Bundles a module, with what it uses of npm's nostr-tools, into one file.
//
//   node js/bundle.mjs ENTRY OUTPUT   (in ui/)
import { build } from "esbuild";

const [entry, outfile] = process.argv.slice(2);

await build({
  entryPoints: [entry],
  outfile,
  bundle: true,
  format: "esm",
  minify: true,
  legalComments: "none",
  // The browsers that style/build.mjs names.
  target: ["chrome111", "safari16.4", "firefox121"],
  logLevel: "warning",
});
