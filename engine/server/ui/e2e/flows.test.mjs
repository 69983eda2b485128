// What a person does, in a real browser, against the real server.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ASK, BROKEN, NIGHTLY } from "./dags.mjs";
import { browse, open, torch, World } from "./world.mjs";

let world;
let browser;
before(async () => {
  browser = await browse();
  world = await World.start();
});
after(async () => {
  await browser?.close();
  await world?.stop();
});

/** A page that is closed, and without faults, when the test is done. */
function looking(name, path, act) {
  test(name, async () => {
    if (/model/.test(name) && !torch()) return void console.error("SKIP: there is no twinloom-torch to make a model with");
    const page = await open(browser, world, path);
    try {
      await act(page);
      assert.deepEqual(page.faults, []);
    } catch (error) {
      error.message += `\n  at ${page.url()}\n  faults: ${page.faults.join("; ")}\n${await page.locator("body").innerText().catch(() => "")}`.slice(0, 3000);
      throw error;
    } finally {
      await page.context().close();
    }
  });
}

looking("from the first start to the first run", "/", async (page) => {
  await page.getByText("Nothing has run yet").waitFor();
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox").fill("run hello");
  await page.getByRole("option").first().waitFor();
  await page.keyboard.press("Enter");
  await page.getByLabel(/^who/).fill("Ada");
  await page.getByLabel(/^times/).fill("99");
  await page.getByText("Mend first: times").waitFor();
  await page.getByLabel(/^times/).fill("2");
  // What is no JSON must not be sent as what was there before.
  const button = page.getByRole("button", { name: "Run hello" });
  await page.getByLabel(/^tags/).fill('[{"kind": ');
  await page.getByText("Mend first: tags").waitFor();
  assert.equal(await button.isDisabled(), true);
  await page.getByLabel(/^tags/).fill('[{"kind": "mended"}]');
  await page.getByText("Mend first").waitFor({ state: "detached" });
  await page.getByText("--param who=Ada").waitFor();
  await button.click();
  await page.waitForURL(/\/runs\/\w{26}/);
  assert.deepEqual((await world.get(`/runs/${new URL(page.url()).pathname.split("/")[2]}`)).params.tags, [{ kind: "mended" }]);
  await page.locator("h1 + .status[data-state=succeeded]").waitFor();
  await page.getByRole("link", { name: "Logs" }).click();
  await page.getByLabel("task").selectOption("greet");
  const log = page.getByTestId("log");
  await log.getByText("Ada, line 2").waitFor();
  assert.equal(await log.getByText("\u001b").count(), 0);
});

looking("an error in the YAML stands at its line, and mending it saves", "/dags/hello/yaml", async (page) => {
  const editor = page.getByRole("textbox", { name: /YAML/ });
  await editor.waitFor();
  await page.getByText("would run").first().waitFor();
  const before = (await world.get("/dags/hello/source")).text;
  const line = before.split("\n").findIndex((text) => text.includes("after: [greet]")) + 1;
  await editor.fill(before.replace("after: [greet]", "after: [gret]"));
  const found = page.getByTestId("diagnostics");
  await found.getByText(`line ${line}, column`).waitFor();
  await page.locator(".editor .cm-lint-marker-error").waitFor();
  assert.equal(await page.getByRole("button", { name: "Save" }).isDisabled(), true);
  await editor.fill(before.replace("Says hello", "Greets"));
  await page.getByText("not saved").waitFor();
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Saved.").waitFor();
  assert.match((await world.get("/dags/hello/source")).text, /Greets/);
});

looking("a file that changes under the editor is not lost and loses nothing", "/dags/hello/yaml", async (page) => {
  const editor = page.getByRole("textbox", { name: /YAML/ });
  await editor.waitFor();
  const source = "/dags/hello/source";
  const before = await world.get(source);
  const elsewhere = async (from, text) => {
    const put = { method: "PUT", headers: { "content-type": "application/json", "if-match": `"${from.hash}"` }, body: JSON.stringify({ text }) };
    const answer = await fetch(`${world.url}/api/v1${source}`, put);
    assert.equal(answer.status, 200);
    return answer.json();
  };
  const mine = before.text.replace("some seconds long", "some seconds short");
  await editor.fill(mine);
  await page.getByText("not saved").waitFor();
  const notice = page.getByRole("alert").filter({ hasText: "The file has changed on disk" });
  // Saved from elsewhere a moment before: the choice stands at once.
  const theirs = await elsewhere(before, before.text.replace("owner: ada", "owner: ben"));
  await page.getByRole("button", { name: "Save" }).click();
  await notice.waitFor();
  await page.getByRole("button", { name: "Keep mine, replace it when I save" }).click();
  await notice.waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Saved.").waitFor();
  const saved = await world.get(source);
  assert.equal(saved.text, mine);
  assert.notEqual(saved.hash, theirs.hash);
  // And without a save: told by itself, and the file can be taken.
  await editor.fill(mine.replace("owner: ada", "owner: eve"));
  await page.getByText("not saved").waitFor();
  await elsewhere(saved, before.text);
  await notice.waitFor();
  await page.getByRole("button", { name: "Take the file, drop my changes" }).click();
  await page.getByText("not saved").waitFor({ state: "detached" });
  await page.locator(".cm-content", { hasText: "some seconds long" }).waitFor();
});

looking("a bad file shows its errors and leaves the others standing", "/dags", async (page) => {
  await page.getByRole("link", { name: "hello", exact: true }).waitFor();
  world.write("dags/broken.yaml", BROKEN);
  await page.getByText("2 errors").waitFor();
  await page.getByText("2 errors").click();
  await page.getByText("Did you mean").first().waitFor();
  await page.goto(`${world.url}/`);
  await page.getByRole("heading", { level: 1, name: "1 DAG file broken" }).waitFor();
  await page.getByRole("link", { name: /^Line \d+$/ }).click();
  await page.waitForURL(/\/dags\/broken\/yaml\?line=\d+/);
  world.write("dags/broken.yaml", BROKEN.replace("comand", "command").replace("frist", "first"));
  await page.locator(".page-head .status", { hasText: "loaded" }).waitFor();
});

looking("a run is watched live, and a reload in the middle goes on", "/dags/hello", async (page) => {
  const { run } = await world.post("/dags/hello/runs", { params: { times: 12 } });
  await page.goto(`${world.url}/runs/${run}`);
  await page.locator('[data-task="greet"][data-state="running"]').waitFor();
  await page.locator('[data-task="after"][data-state="pending"]').waitFor();
  await page.goto(`${world.url}/runs/${run}/logs?task=greet`);
  await page.getByTestId("log").getByText("line 2").waitFor();
  await page.reload();
  await page.getByTestId("log").getByText("line 12").waitFor();
  await page.locator("h1 + .status[data-state=succeeded]").waitFor();
  assert.match(await page.getByLabel("task").inputValue(), /greet/);
});

looking("a live log is read back by keyboard, and followed again from its end", "/", async (page) => {
  // Few lines fit.
  await page.setViewportSize({ width: 1280, height: 500 });
  const { run } = await world.post("/dags/hello/runs", { params: { times: 30 } });
  await page.goto(`${world.url}/runs/${run}/logs?task=greet`);
  const log = page.getByTestId("log");
  const follow = page.getByLabel("Follow");
  await log.getByText("line 14").waitFor();
  assert.equal(await follow.isChecked(), true);
  await log.focus();
  await page.keyboard.press("Home");
  await page.waitForFunction(() => !document.querySelector("input[type=checkbox]").checked);
  const top = () => log.evaluate((element) => element.scrollTop);
  await page.waitForFunction(() => document.querySelector(".log").scrollTop === 0);
  await log.getByText("line 18").waitFor();
  assert.equal(await top(), 0);
  await page.keyboard.press("End");
  await page.waitForFunction(() => document.querySelector("input[type=checkbox]").checked);
  await log.getByText("line 21").waitFor();
  assert.ok((await top()) > 0);
  await world.post(`/runs/${run}/cancel`, {});
});

looking("the log of a task that is run again goes on with the new attempt", "/", async (page) => {
  const { id: run } = await world.run("hello", { times: 2 });
  await page.goto(`${world.url}/runs/${run}/logs?task=greet`);
  const last = page.getByTestId("log").getByText("world, line 2");
  await last.waitFor();
  // The task has ended, and so has what the page read.
  await page.getByText(/^\d+ lines$/).waitFor();
  await world.post(`/runs/${run}/retry`, { from: "greet" });
  await last.nth(1).waitFor();
  assert.equal(await last.count(), 2);
});

looking("a run is cancelled, and run again from a task", "/", async (page) => {
  const { run } = await world.post("/dags/hello/runs", { params: { times: 30 } });
  await page.goto(`${world.url}/runs/${run}?task=greet`);
  await page.locator('[data-task="greet"][data-state="running"]').waitFor();
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("dialog").getByText("greet").waitFor();
  await page.getByRole("button", { name: "Cancel the run" }).click();
  await page.locator("h1 + .status[data-state=cancelled]").waitFor();
  await page.getByRole("button", { name: "Retry from here" }).click();
  await page.getByRole("dialog").getByText("1 task after it").waitFor();
  await page.keyboard.press("Escape");
});

looking("a model is approved on its evidence and promoted", "/approvals", async (page) => {
  await page.getByText("Nothing waits for you").waitFor();
  const { run } = await world.post("/dags/voice/runs", { params: {} });
  // The inbox fills by itself.
  await page.getByRole("link", { name: /release|approve|voice/i }).last().waitFor();
  await world.settled(run, ["waiting"]);
  // The task of a pipeline has a slash in its id.
  await page.goto(`${world.url}/approvals/${run}/${encodeURIComponent("release/approve")}`);
  await page.getByText("style_distance").waitFor();
  await page.getByText("the gate is passed").waitFor();
  await page.getByRole("button", { name: "Reject" }).click();
  await page.getByText("Say why, for the record.").waitFor();
  await page.getByLabel(/^Comment/).fill("reads like me");
  await page.getByRole("button", { name: "Approve" }).click();
  await page.getByText("reads like me").first().waitFor();
  await world.settled(run, ["succeeded"]);
  await page.goto(`${world.url}/models/voice/versions`);
  await page.getByText("production").first().waitFor();
  await page.getByText("reads like me").first().waitFor();
});

looking("what was answered in an earlier round does not count, and all questions can be reached", "/dags", async (page) => {
  world.write("dags/ask.yaml", ASK);
  await page.getByRole("link", { name: "ask", exact: true }).waitFor();
  const { id: run } = await world.run("ask");
  const answer = (approved, comment) => world.post(`/approvals/${run}/approve`, { approved, comment });
  await answer(true, "fine so far");
  await page.goto(`${world.url}/approvals/${run}/approve`);
  await page.getByText("2 approvals, has 1").waitFor();
  await answer(false, "not after all");
  await world.settled(run, ["failed"]);
  await world.post(`/runs/${run}/retry`, {});
  await world.settled(run, ["waiting"]);
  await page.getByText("2 approvals, has 0").waitFor();
  assert.equal(await page.getByText("in an earlier round").count(), 2);
  await answer(true, "fine now");
  await page.getByText("2 approvals, has 1").waitFor();
  assert.equal(await page.getByText("in an earlier round").count(), 2);
  // Small pages stand for many questions.
  await world.run("ask");
  await world.run("ask");
  await page.route(/\/api\/v1\/approvals\?/, (route) => route.continue({ url: route.request().url().replace("limit=200", "limit=1") }));
  await page.goto(`${world.url}/approvals?state=all`);
  await page.getByRole("link", { name: "Shall it go on?" }).nth(2).waitFor();
});

looking("a published dataset starts the DAG that waits for it", "/dags/follow", async (page) => {
  await page.getByText("has not run yet").waitFor();
  await world.run("articles", { text: "one" });
  await page.getByTestId("grid").waitFor();
  await page.goto(`${world.url}/dags/follow/schedule`);
  await page.getByText("fired", { exact: true }).first().waitFor();
  await world.run("articles", { text: "two" });
  await page.goto(`${world.url}/datasets/articles/diff`);
  await page.locator("ins", { hasText: /tw|two/ }).first().waitFor();
  await page.goto(`${world.url}/datasets/articles`);
  await page.getByRole("link", { name: "follow" }).waitFor();
});

looking("a backfill is looked at without a trace, and starts what has no run yet", "/dags", async (page) => {
  world.write("dags/nightly.yaml", NIGHTLY);
  await page.getByRole("link", { name: "nightly", exact: true }).waitFor();
  await page.goto(`${world.url}/dags/nightly/backfill?from=2026-03-01T00:00&to=2026-03-03T00:00`);
  await page.getByText("2 runs would start:").waitFor();
  const noted = async () => (await world.get("/audit?limit=500")).items.filter(({ subject }) => subject.endsWith("/nightly/backfill")).length;
  assert.equal(await noted(), 0);
  await page.getByRole("button", { name: "Start 2 runs" }).click();
  await page.getByText("0 runs would start; 2 times have a run already").waitFor();
  assert.equal(await noted(), 1);
  assert.equal(await page.getByRole("button", { name: "Start 0 runs" }).isDisabled(), true);
  // One more day: the two stay as they are, each with a link to its run.
  await page.getByLabel("To", { exact: true }).fill("2026-03-04T00:00");
  await page.getByText("1 run would start; 2 times have a run already").waitFor();
  assert.equal(await page.getByRole("list", { name: "times" }).getByRole("link").count(), 2);
  assert.equal(await noted(), 1);
});

looking("a server that restarts under an open page is noticed and caught up with", "/runs", async (page) => {
  await page.getByText("live", { exact: true }).waitFor();
  const rows = await page.getByRole("row").count();
  await world.down();
  await page.getByTestId("lost").waitFor();
  await world.up();
  const { run } = await world.post("/dags/hello/runs", { params: { times: 1 } });
  await page.getByTestId("lost").waitFor({ state: "detached" });
  await page.locator(`.id[title="${run}"]`).waitFor();
  assert.ok((await page.getByRole("row").count()) > rows);
});

looking("everything can be reached by keyboard", "/", async (page) => {
  await page.getByRole("heading", { level: 1 }).waitFor();
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keyboard" }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  // A dialog keeps the focus while it stands, and gives it back.
  const opener = page.getByRole("button", { name: "keyboard help" });
  await opener.focus();
  await page.keyboard.press("Enter");
  await page.getByRole("dialog", { name: "Keyboard" }).waitFor();
  await page.keyboard.press("Tab");
  assert.ok(await page.evaluate(() => document.activeElement === document.body || document.activeElement.closest("dialog") !== null));
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  assert.ok(await opener.evaluate((button) => document.activeElement === button));
  await opener.evaluate((button) => button.blur());
  await page.keyboard.press("g");
  await page.keyboard.press("d");
  await page.waitForURL(/\/dags$/);
  await page.getByRole("link", { name: "articles", exact: true }).first().waitFor();
  await page.keyboard.press("/");
  await page.keyboard.type("hello");
  await page.waitForURL(/q=hello/);
  await page.getByRole("link", { name: "hello", exact: true }).focus();
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/dags\/hello$/);
  const grid = page.getByTestId("grid");
  await grid.focus();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/runs\/\w{26}\?task=/);
  await page.goBack();
  await grid.focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/runs\/\w{26}$/);
  // With a pointer: the second row of the newest run.
  await page.goBack();
  await page.locator(".grid-cells").hover({ position: { x: 11, y: 33 } });
  await page.locator(".grid-detail", { hasText: "after in run" }).waitFor();
  await page.locator(".grid-cells").click({ position: { x: 11, y: 33 } });
  await page.waitForURL(/\/runs\/\w{26}\?task=after$/);
});
