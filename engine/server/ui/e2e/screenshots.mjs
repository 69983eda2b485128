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

/** Pictures of a server's pages: name, path, and what brings up what lies over the page. */
async function take(browser, world, shots) {
  const wanted = shots.filter(([name]) => only.length === 0 || only.includes(name));
  if (wanted.length === 0) return;
  for (const look of LOOKS) {
    const { colorScheme, viewport } = look;
    const page = await open(browser, world, "/", look);
    for (const [name, path, act] of wanted) {
      try {
        await page.goto(world.url + path);
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
      const found = page.faults.splice(0);
      if (found.length > 0) {
        faults += 1;
        console.error(`${name} ${colorScheme} ${viewport.width}: ${found.join("; ")}`);
      }
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
  await within(World.start({ dags: {}, files: {} }), (world) => take(browser, world, Object.entries(EMPTY).map(([name, path]) => [`empty-${name}`, path])));
  const users = [{ name: "ada", role: "admin", password: "a long enough password" }];
  await within(World.start({ dags: {}, files: {}, users }), (world) => take(browser, world, [["login", "/"]]));
  await within(showcase(), async (world) => {
    const pages = await addresses(world);
    await take(browser, world, [...Object.entries(pages), ...OVERLAYS.map(([name, over, act]) => [name, pages[over], act])]);
  });
  console.error(`${taken} screenshots are in ${out}`);
} finally {
  await browser.close();
}
process.exit(faults > 0 ? 1 : 0);
