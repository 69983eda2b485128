// Every page in both themes: nothing serious for axe, nothing too wide for a phone, no fault, nothing from elsewhere.
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

// The theme alternates from page to page, and the other half is looked at on a phone: each theme and width sees half.
for (const [colorScheme, width, start] of [
  ["light", 1280, 0],
  ["dark", 360, 1],
  ["dark", 1280, 1],
  ["light", 360, 0],
]) {
  test(`pages in ${colorScheme} at ${width} px`, async () => {
    const found = [];
    const page = await open(browser, world, "/", { colorScheme, viewport: { width, height: 800 } });
    for (const [index, [name, path]] of Object.entries(addresses).entries()) {
      if (index % 2 !== start) continue;
      await page.goto(world.url + path);
      await settled(page);
      const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      if (over > 0) found.push(`${name}: ${over} px too wide`);
      for (const line of await serious(page)) found.push(`${name}: ${line}`);
      for (const line of page.faults.splice(0)) found.push(`${name}: ${line}`);
    }
    await page.context().close();
    assert.deepEqual(found, []);
  });
}
