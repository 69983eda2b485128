// Runs the tests in a browser, where there are a binary and a browser; says so where not.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { binary, browserPath } from "./world.mjs";

for (const [what, found] of [["the binary twinloom (cargo build -p twinloom)", binary()], ["Chromium (apt-get install chromium)", browserPath()]]) {
  if (!found) {
    console.error(`SKIP: the tests in a browser need ${what}`);
    process.exit(0);
  }
}
const here = fileURLToPath(new URL(".", import.meta.url));
const files = (process.argv.length > 2 ? process.argv.slice(2) : ["flows", "login", "access"]).map((name) => `${here}${name}.test.mjs`);
const { status } = spawnSync(process.execPath, ["--test", "--test-concurrency=1", ...files], { stdio: "inherit" });
process.exit(status ?? 1);
