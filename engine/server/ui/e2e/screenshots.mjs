// Every page at both themes and two widths, into an ignored folder, to be looked at. Names as arguments take some only.
import { mkdirSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { settled } from "./pages.mjs";
import { addresses, EMPTY, OVERLAYS } from "./showcase/pages.mjs";
import { showcase } from "./showcase/world.mjs";
import { browse, browserPath, binary, open, World } from "./world.mjs";

const out = fileURLToPath(new URL("../screenshots", import.meta.url));
const only = process.argv.slice(2);
if (!binary() || !browserPath()) {
  console.error("SKIP: screenshots need the binary twinloom and Chromium");
  process.exit(0);
}
const LOOKS = ["light", "dark"].flatMap((colorScheme) => [[1280, 800], [360, 740]].map(([width, height]) => ({ colorScheme, viewport: { width, height } })));
let faults = 0;
let taken = 0;

async function take(browser, world, name, path, act) {
  if (only.length > 0 && !only.includes(name)) return;
  for (const look of LOOKS) {
    const { colorScheme, viewport } = look;
    const page = await open(browser, world, path, look);
    try {
      await settled(page);
      await act?.(page);
      await page.waitForTimeout(350);
      await page.screenshot({ path: `${out}/${name}-${colorScheme}-${viewport.width}.png`, fullPage: viewport.width === 360 && !act });
      taken += 1;
      const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      if (over > 0) page.faults.push(`${over} px too wide`);
    } catch (error) {
      page.faults.push(String(error));
    }
    if (page.faults.length > 0) {
      faults += 1;
      console.error(`${name} ${colorScheme} ${viewport.width}: ${page.faults.join("; ")}`);
    }
    await page.context().close();
  }
}

async function within(starting, act) {
  const world = await starting;
  try {
    await act(world);
  } finally {
    await world.stop();
  }
}

if (only.length === 0) rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
const browser = await browse();
try {
  await within(World.start({ dags: {}, files: {} }), async (world) => {
    for (const [name, path] of Object.entries(EMPTY)) await take(browser, world, `empty-${name}`, path);
  });
  await within(World.start({ dags: {}, files: {}, users: [{ name: "ada", role: "admin", password: "a long enough password" }] }), (world) => take(browser, world, "login", "/"));
  await within(showcase(), async (world) => {
    const pages = await addresses(world);
    for (const [name, path] of Object.entries(pages)) await take(browser, world, name, path);
    for (const [name, over, act] of OVERLAYS) await take(browser, world, name, pages[over], act);
  });
  console.error(`${taken} screenshots are in ${out}`);
} finally {
  await browser.close();
}
process.exit(faults > 0 ? 1 : 0);
