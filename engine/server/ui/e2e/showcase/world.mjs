// A server as it looks after some weeks of work: runs that succeeded, failed, wait and run, versions, verdicts.
import { World, torch } from "../world.mjs";
import { DAGS, PIPELINES } from "./dags.mjs";
import { note } from "./texts.mjs";

const NOTES = 40;

export async function showcase() {
  const files = Object.fromEntries(Object.entries(PIPELINES).map(([name, text]) => [`pipelines/${name}`, text]));
  for (let n = 0; n < NOTES; n++) files[`writing/note-${String(n).padStart(2, "0")}.md`] = note(n);
  const world = await World.start({ dags: DAGS, files, options: ["--jobs", "6"] });
  await put(world, "/secrets/SHOP_HOOK", { value: "a signing key of the shop" });
  await put(world, "/destinations/team", { kind: "slack", url: "secret:SLACK_HOOK", events: ["run_failed", "approval_wanted"] });
  await put(world, "/destinations/archive", { kind: "webhook", url: "https://example.org/events", secret: null, events: ["freshness_missed"] });
  const large = world.post("/dags/warehouse/runs", { params: {} });
  await experiments(world);
  await prices(world);
  await writing(world);
  await world.post("/dags/digest/runs", {});
  await world.settled((await large).run);
  await world.run("warehouse", { day: "2026-11-21" });
  return world;
}

async function put(world, path, body) {
  const answer = await fetch(`${world.url}/api/v1${path}`, { method: "PUT", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`PUT ${path}: ${answer.status} ${await answer.text()}`);
}

async function experiments(world) {
  for (const [learning_rate, method] of [[0.001, "lora"], [0.002, "lora"], [0.004, "lora"], [0.008, "lora"], [0.004, "rslora"], [0.006, "rslora"], [0.004, "dora"], [0.012, "dora"]]) {
    await world.run("tune", { learning_rate, method });
  }
}

async function prices(world) {
  for (const day of ["monday", "tuesday", "wednesday", "sunday"]) await world.run("prices", { day });
  await world.run("prices", { day: "thursday", strict: true });
  const { run } = await world.post("/dags/prices/runs", { params: { day: "friday" } });
  await world.post(`/runs/${run}/cancel`, {});
  await world.settled(run);
  await world.run("prices", { day: "saturday", strict: true });
}

/** Four versions of the author's words and of the model: two released, one refused, one that waits. */
async function writing(world) {
  const answers = [
    [512, true, "reads like me, and the gate holds"],
    [520, false, "worse than what is in use: it repeats itself in letters"],
    [640, true, "shorter sentences, closer to the notebooks"],
    [768, undefined, ""],
  ];
  for (const [round, [vocab, approved, comment]] of answers.entries()) {
    if (round > 0) {
      for (let n = round; n < NOTES; n += 6) world.write(`writing/note-${String(n).padStart(2, "0")}.md`, note(n, round));
      world.write(`writing/note-${NOTES + round}.md`, note(NOTES + round));
    }
    await world.run("collect");
    if (!torch()) continue;
    const { id } = await world.run("twin", { vocab });
    if (approved === undefined) continue;
    await world.post(`/approvals/${id}/release%2Fapprove`, { approved, comment });
    await world.settled(id, ["succeeded", "failed"]);
  }
}
