// Every page in both themes at both widths: nothing serious for axe, nothing too wide for a phone, no fault, nothing from elsewhere.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { serious } from "./axe.mjs";
import { furnish, pages, settled } from "./pages.mjs";
import { browse, open, World } from "./world.mjs";

let world;
let browser;
let addresses;
before(async () => {
  browser = await browse();
  world = await World.start();
  await furnish(world);
  addresses = await pages(world);
});
after(async () => {
  await browser?.close();
  await world?.stop();
});

const WIDTHS = [1280, 360];

for (const [turn, colorScheme] of ["light", "dark"].entries()) {
  test(`pages in ${colorScheme}`, async () => {
    const found = [];
    const page = await open(browser, world, "/", { colorScheme });
    for (const [index, [name, path]] of Object.entries(addresses).entries()) {
      // Loaded at one width and looked at in the other too, as when a window is made narrow or wide; the other theme
      // starts from the other.
      const widths = (index + turn) % 2 === 0 ? WIDTHS : [...WIDTHS].reverse();
      await page.setViewportSize({ width: widths[0], height: 800 });
      await page.goto(world.url + path);
      for (const width of widths) {
        await page.setViewportSize({ width, height: 800 });
        await settled(page);
        const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        if (over > 0) found.push(`${name} at ${width} px: ${over} px too wide`);
        for (const line of await serious(page)) found.push(`${name} at ${width} px: ${line}`);
      }
      for (const line of page.faults.splice(0)) found.push(`${name}: ${line}`);
    }
    await page.context().close();
    assert.deepEqual(found, []);
  });
}
