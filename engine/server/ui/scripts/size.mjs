// What a first visit loads: the entry with all that it imports at once, gzipped. More than the budget is an error.
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const BUDGET = 500 * 1000;
const manifest = JSON.parse(readFileSync("dist/manifest.json", "utf8"));
const size = (file) => gzipSync(readFileSync(`dist/${file}`)).length;

function closure(key, found = new Set()) {
  const chunk = manifest[key];
  if (!chunk || found.has(chunk.file)) return found;
  found.add(chunk.file);
  for (const css of chunk.css ?? []) found.add(css);
  for (const next of chunk.imports ?? []) closure(next, found);
  return found;
}

// The shell, and the page that the address / shows.
const first = closure("index.html");
closure("src/pages/Overview.tsx", first);
const total = [...first].reduce((sum, file) => sum + size(file), 0) + size("index.html") + size("theme.js");
const lazy = new Map();
for (const chunk of Object.values(manifest)) {
  if (!first.has(chunk.file)) lazy.set(chunk.file, size(chunk.file));
}
for (const [file, bytes] of [...lazy].sort((a, b) => b[1] - a[1]).slice(0, 5)) {
  console.log(`  later  ${(bytes / 1000).toFixed(1).padStart(6)} kB  ${file}`);
}
console.log(`  first load ${(total / 1000).toFixed(1)} kB gzipped of ${BUDGET / 1000} kB allowed`);
if (total > BUDGET) {
  console.error("the first load is over its budget: load what the first page does not need lazily");
  process.exit(1);
}
