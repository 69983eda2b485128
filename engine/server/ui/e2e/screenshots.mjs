// Every page at both themes and two widths, into an ignored folder, to be looked at.
import { mkdirSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { furnish, pages, settled } from "./pages.mjs";
import { browse, browserPath, binary, open, World } from "./world.mjs";

const out = fileURLToPath(new URL("../screenshots", import.meta.url));
const only = process.argv.slice(2);
if (!binary() || !browserPath()) {
  console.error("SKIP: screenshots need the binary twinloom and Chromium");
  process.exit(0);
}
const world = await World.start();
const browser = await browse();
let faults = 0;
try {
  await furnish(world);
  if (only.length === 0) rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  for (const [name, path] of Object.entries(await pages(world))) {
    if (only.length > 0 && !only.includes(name)) continue;
    for (const colorScheme of ["light", "dark"]) {
      for (const [width, height] of [[1280, 800], [360, 740]]) {
        const page = await open(browser, world, path, { colorScheme, viewport: { width, height } });
        await settled(page);
        await page.waitForTimeout(350);
        await page.screenshot({ path: `${out}/${name}-${colorScheme}-${width}.png`, fullPage: width === 360 });
        const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        if (over > 0 || page.faults.length > 0) {
          faults += 1;
          console.error(`${name} ${colorScheme} ${width}:${over > 0 ? ` ${over} px too wide` : ""} ${page.faults.join("; ")}`);
        }
        await page.context().close();
      }
    }
  }
  console.error(`screenshots are in ${out}`);
} finally {
  await browser.close();
  await world.stop();
}
process.exit(faults > 0 ? 1 : 0);
