// Bundles the room that signs, with what it uses of npm's nostr-tools, into one module.
//
//   node identity/build.mjs OUTPUT   (in ui/)
import { build } from "esbuild";

await build({
  entryPoints: ["identity/index.js"],
  outfile: process.argv[2],
  bundle: true,
  format: "esm",
  minify: true,
  legalComments: "none",
  // The browsers that style/build.mjs names.
  target: ["chrome111", "safari16.4", "firefox121"],
  logLevel: "warning",
});
