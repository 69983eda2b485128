// A server with users: who may see and do what.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browse, open, World } from "./world.mjs";

const PASSWORD = "a long enough password";
// The first user has to be an admin.
const USERS = ["admin", "viewer", "operator", "approver"].map((role) => ({ name: `${role}-ada`, role, password: PASSWORD }));
let world;
let browser;
before(async () => {
  browser = await browse();
  world = await World.start({ users: USERS });
});
after(async () => {
  await browser?.close();
  await world?.stop();
});

async function logIn(page, name, password = PASSWORD) {
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Log in" }).click();
}

test("a wrong password is refused with its reason, and nothing is shown", async () => {
  const page = await open(browser, world, "/runs");
  await logIn(page, "viewer-ada", "wrong");
  await page.getByRole("group", { name: "error" }).waitFor();
  assert.equal(await page.getByRole("navigation").count(), 0);
  await page.context().close();
});

for (const { name, role } of USERS) {
  test(`the ${role} logs in and may do what the role allows`, async () => {
    const page = await open(browser, world, "/dags/hello/run");
    await logIn(page, name);
    const run = page.getByRole("button", { name: "Run hello" });
    await run.waitFor();
    const may = role === "operator" || role === "admin";
    assert.equal(await run.getAttribute("aria-disabled"), may ? null : "true");
    if (may) {
      await page.getByLabel(/^times/).fill("1");
      await run.click();
      await page.waitForURL(/\/runs\/\w{26}/);
    }
    await page.goto(`${world.url}/settings`);
    await (role === "admin" ? page.getByRole("cell", { name: "viewer-ada" }) : page.getByText("Only admins see the users")).waitFor();
    await page.reload();
    await page.getByText(`signed in as ${name}`).waitFor();
    await page.getByRole("button", { name: "Log out" }).click();
    await page.getByLabel("Password").waitFor();
    assert.deepEqual(page.faults, []);
    await page.context().close();
  });
}
