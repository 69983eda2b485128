// How quick the pages are with 10,000 runs and a DAG of 500 tasks, in a headless browser: one JSON line a figure.
// Times to content are medians of some visits with the assets cached; frames are those drawn while one scrolls or drags.
import { execFileSync } from "node:child_process";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { binary, browse, browserPath, open, World } from "./world.mjs";

const RUNS = 10_000;
const LAYERS = 20;
const WIDE = 25;
const VISITS = 5;
const FRAMES = 150;
const stored = resolve(fileURLToPath(new URL(".", import.meta.url)), "../../../../infra/bench/stored.py");

if (!binary() || !browserPath()) {
  console.error("SKIP: the web UI is measured with the binary twinloom and Chromium");
  process.exit(0);
}

/** 500 steps in layers, each after two of the layer before. */
function layered() {
  const name = (layer, at) => `step_${String(layer * WIDE + (at % WIDE)).padStart(3, "0")}`;
  const steps = [];
  for (let layer = 0; layer < LAYERS; layer++) {
    for (let at = 0; at < WIDE; at++) {
      const after = layer === 0 ? "" : `after: [${name(layer - 1, at)}, ${name(layer - 1, at + 1)}], `;
      steps.push(`  ${name(layer, at)}: {uses: command, ${after}with: {argv: ["true"]}}\n`);
    }
  }
  return `apiVersion: twinloom/v1\nkind: Dag\nname: wide\nsteps:\n${steps.join("")}`;
}

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const share = (values, part) => [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * part))];
const emit = (bench, value, more = {}) => console.log(JSON.stringify({ bench, system: "twinloom", value: Math.round(value * 10) / 10, unit: "ms", ...more }));

/** From the start of a visit to the first frame with `selector`, as the page's own clock says. */
async function ready(page, url, selector) {
  const times = [];
  for (let visit = 0; visit <= VISITS; visit++) {
    await page.goto("about:blank");
    await page.goto(url, { waitUntil: "commit" });
    const at = await page.evaluate(
      (selector) =>
        new Promise((done) => {
          const look = () => (document.querySelector(selector) ? requestAnimationFrame(() => done(performance.now())) : requestAnimationFrame(look));
          look();
        }),
      selector,
    );
    if (visit > 0) times.push(at);
  }
  return times;
}

/** Times between frames while `move` is done again and again. */
async function frames(page, move) {
  await page.evaluate(() => {
    globalThis.drawn = [];
    const next = (at) => {
      globalThis.drawn.push(at);
      requestAnimationFrame(next);
    };
    requestAnimationFrame(next);
  });
  for (let step = 0; step < FRAMES; step++) {
    await move(step);
    await page.waitForTimeout(8);
  }
  const drawn = await page.evaluate(() => globalThis.drawn);
  return drawn.slice(1).map((at, index) => at - drawn[index]);
}

function emitFrames(bench, deltas, more = {}) {
  emit(bench, share(deltas, 0.95), { median_ms: Math.round(median(deltas) * 10) / 10, worst_ms: Math.round(Math.max(...deltas) * 10) / 10, frames: deltas.length, ...more });
}

async function middle(page, selector) {
  const box = await page.locator(selector).first().boundingBox();
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  return [box.x + box.width / 2, box.y + box.height / 2];
}

async function runsPage(page, world) {
  emit("ui_runs_first_rows_ms", median(await ready(page, `${world.url}/runs`, "tr[data-index='5']")), { runs: RUNS });
  await middle(page, ".table-wrap");
  emitFrames("ui_runs_scroll_frame_p95_ms", await frames(page, () => page.mouse.wheel(0, 900)), { runs: RUNS, reached: Number(await page.locator("tr[data-index]").last().getAttribute("data-index")) });
  const times = [];
  for (const [index, state] of ["failed", "cancelled", "succeeded", "failed", "cancelled"].entries()) {
    const began = performance.now();
    await page.getByLabel("state").selectOption(state);
    await page.locator(`tr[data-index='0'] .status[data-state=${state}]`).waitFor();
    if (index > 0) times.push(performance.now() - began);
  }
  emit("ui_runs_filter_ms", median(times), { runs: RUNS });
}

async function widePages(page, world, run) {
  const size = { tasks: LAYERS * WIDE };
  emit("ui_graph_ready_ms", median(await ready(page, `${world.url}/runs/${run}`, ".task-node")), size);
  await page.waitForTimeout(500);
  const [x, y] = await middle(page, ".react-flow__pane");
  await page.mouse.down();
  emitFrames("ui_graph_pan_frame_p95_ms", await frames(page, (step) => page.mouse.move(x - 300 * Math.sin(step / 12), y - 80 * Math.sin(step / 5))), size);
  await page.mouse.up();
  emit("ui_timeline_ready_ms", median(await ready(page, `${world.url}/runs/${run}/timeline`, ".gantt li")), size);
  emit("ui_grid_ready_ms", median(await ready(page, `${world.url}/dags/wide`, ".grid-tile")), { ...size, runs: RUNS / 50 });
  await middle(page, ".grid-scroll");
  // The first turn of the wheel says which box is meant. Then there and back, so that no frame is of a grid that stands.
  await page.mouse.wheel(0, 10);
  await page.waitForFunction(() => document.querySelector(".grid-scroll").scrollTop > 0);
  const way = (step) => (Math.floor(step / 24) % 2 === 0 ? 400 : -400);
  emitFrames("ui_grid_scroll_frame_p95_ms", await frames(page, (step) => page.mouse.wheel(step % 3 === 0 ? way(step) : 0, step % 3 === 0 ? 0 : way(step))), { ...size, runs: RUNS / 50 });
}

const world = await World.start({ dags: { "wide.yaml": layered() }, files: {} });
const browser = await browse();
try {
  const { run } = await world.post("/dags/wide/runs", {});
  await world.settled(run, ["succeeded"]);
  await world.down();
  const database = join(world.dir, "home", "twinloom.db");
  execFileSync("python3", [stored, database, String(RUNS)]);
  execFileSync("python3", [stored, database, String(RUNS / 50), "wide", String(LAYERS * WIDE)]);
  await world.up();
  const page = await open(browser, world, "/");
  await runsPage(page, world);
  await widePages(page, world, run);
} finally {
  await browser.close();
  await world.stop();
}
