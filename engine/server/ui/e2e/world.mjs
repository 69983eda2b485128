// A server of the project's own binary in a folder of its own, and a browser to look at it.
import { execFile, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { chromium } from "playwright-core";
import { DAGS, PIPELINES, writing } from "./dags.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const root = resolve(here, "../../../..");
const run = promisify(execFile);

/** Where the binary is; none where it has not been built. */
export function binary() {
  const target = process.env.CARGO_TARGET_DIR ?? join(root, "target");
  return [process.env.TWINLOOM_BIN, join(target, "debug/twinloom"), join(target, "release/twinloom")].find((path) => path && existsSync(path));
}

/** Models are made by twinloom-torch, which stands beside twinloom or is named by TWINLOOM_TORCH. */
export function torch() {
  return [process.env.TWINLOOM_TORCH, binary() && join(dirname(binary()), "twinloom-torch")].find((path) => path && existsSync(path));
}

export function browserPath() {
  return [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) => path && existsSync(path));
}

function notes() {
  return Object.fromEntries(Array.from({ length: 12 }, (_, n) => [`writing/note-${n}.md`, `# Note ${n}\n\n${writing(n)}\n`]));
}

function freePort() {
  return new Promise((done, fail) => {
    const probe = createServer();
    probe.once("error", fail);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => done(port));
    });
  });
}

export class World {
  /** With DAG files by name, other files by path, and more options of `twinloom up`. */
  static async start({ users = [], dags = DAGS, files = { ...notes(), ...PIPELINES }, options = [] } = {}) {
    const world = new World();
    world.options = options;
    world.dir = mkdtempSync(join(tmpdir(), "twinloom-e2e-"));
    mkdirSync(join(world.dir, "dags"));
    for (const [name, text] of Object.entries(dags)) world.write(`dags/${name}`, text);
    for (const [path, text] of Object.entries(files)) world.write(path, text);
    for (const { name, role, password } of users) await world.cli(["user", "create", name, "--role", role, "--password-stdin"], `${password}\n`);
    world.port = await freePort();
    world.url = `http://127.0.0.1:${world.port}`;
    await world.up();
    return world;
  }

  write(path, text) {
    mkdirSync(dirname(join(this.dir, path)), { recursive: true });
    writeFileSync(join(this.dir, path), text);
  }

  env() {
    // What somebody has set for a Twinloom of their own (a server, a database, a token) is not for the one under test.
    const theirs = ([name]) => /^(TWINLOOM|OTEL)_/.test(name) && name !== "TWINLOOM_TORCH";
    const kept = Object.entries(process.env).filter((entry) => !theirs(entry));
    return { ...Object.fromEntries(kept), TWINLOOM_HOME: join(this.dir, "home"), NO_COLOR: "1" };
  }

  async cli(args, input = "") {
    const child = run(binary(), args, { cwd: this.dir, env: this.env() });
    child.child.stdin.end(input);
    return (await child).stdout;
  }

  async up() {
    this.log = "";
    this.server = spawn(binary(), ["up", "--port", String(this.port), "--dags", "dags", ...this.options], { cwd: this.dir, env: this.env(), stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.server.stdout, this.server.stderr]) stream.on("data", (data) => (this.log = (this.log + data).slice(-20_000)));
    for (let tries = 0; tries < 300; tries++) {
      if (this.server.exitCode !== null) throw new Error(`the server ended with ${this.server.exitCode}:\n${this.log}`);
      const ready = await fetch(`${this.url}/readyz`).then((answer) => answer.ok, () => false);
      if (ready) return;
      await new Promise((done) => setTimeout(done, 100));
    }
    throw new Error(`the server did not become ready:\n${this.log}`);
  }

  /** Ends the server, as an upgrade would. */
  async down(signal = "SIGTERM") {
    const server = this.server;
    if (!server || server.exitCode !== null || server.signalCode !== null) return;
    const ended = new Promise((done) => server.once("exit", done));
    server.kill(signal);
    const late = setTimeout(() => server.kill("SIGKILL"), 15_000);
    await ended;
    clearTimeout(late);
  }

  async get(path) {
    const answer = await fetch(`${this.url}/api/v1${path}`);
    if (!answer.ok) throw new Error(`GET ${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }

  async post(path, body = {}) {
    const answer = await fetch(`${this.url}/api/v1${path}`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`POST ${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }

  /** Starts a run and waits until it has ended or waits for a person. */
  async run(dag, params = {}) {
    const { run } = await this.post(`/dags/${dag}/runs`, { params });
    return this.settled(run);
  }

  async settled(run, states = ["succeeded", "failed", "cancelled", "skipped", "waiting"]) {
    for (let tries = 0; tries < 600; tries++) {
      const found = await this.get(`/runs/${run}`);
      if (states.includes(found.state)) return found;
      await new Promise((done) => setTimeout(done, 100));
    }
    throw new Error(`run ${run} did not settle`);
  }

  async stop() {
    await this.down();
    rmSync(this.dir, { recursive: true, force: true, maxRetries: 5 });
  }
}

export async function browse() {
  return chromium.launch({
    executablePath: browserPath(),
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
}

/** A page that remembers what went wrong in it: errors, refused styles or scripts, requests to elsewhere. */
export async function open(browser, world, path = "/", options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: "en-GB", timezoneId: "Europe/Berlin", ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  page.faults = [];
  page.on("pageerror", (error) => page.faults.push(`error: ${error.message}`));
  page.on("console", (message) => {
    const text = message.text();
    // A server that is down on purpose, and answers that the page shows by itself, are no faults of the page.
    if (message.type() === "error" && !/Failed to load resource|net::ERR|EventSource/.test(text)) page.faults.push(`console: ${text}`);
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(world.url) && !/^(blob|data):/.test(request.url())) page.faults.push(`request to ${request.url()}`);
  });
  await page.goto(world.url + path);
  return page;
}
