// Live state by server-sent events: what changes is asked for again, at most every so often; when the connection is lost
// the page says so, and everything is read again once it is back.
import { useSyncExternalStore } from "react";
import { partsOf } from "../lib/touched";
import { queries } from "./client";

export type Connection = { state: "connecting" | "live" } | { state: "lost"; since: number };

export interface Progress {
  done: number;
  total: number | null;
  unit: string;
}

interface Passing {
  run: string;
  task?: string;
}

/** Changes are gathered for so long before they are asked for, and longer where the answers take longer. */
const GATHER_MS = 350;
const REST = 2;
const ASLEEP_AFTER_MS = 20_000;
const RETRY_MS = [500, 1000, 2000, 4000];

let connection: Connection = { state: "connecting" };
let source: EventSource | undefined;
let wanted = false;
let tries = 0;
let retry: ReturnType<typeof setTimeout> | undefined;
let asleep: ReturnType<typeof setTimeout> | undefined;
let gather: ReturnType<typeof setTimeout> | undefined;
let asking = false;
let rest = GATHER_MS;
const touched = { all: false, runs: new Set<string>(), lists: false, parts: new Set<string>() };
const progress = new Map<string, Progress>();
const listeners = new Set<() => void>();

function tell() {
  for (const one of listeners) one();
}

function subscribe(listener: () => void) {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

export function useConnection(): Connection {
  return useSyncExternalStore(subscribe, () => connection);
}

/** How far a running task is. */
export function useProgress(run: string, task: string): Progress | undefined {
  return useSyncExternalStore(subscribe, () => progress.get(`${run} ${task}`));
}

function touch(change: () => void) {
  change();
  if (!asking) gather ??= setTimeout(() => void flush(), rest);
}

async function flush() {
  gather = undefined;
  const began = performance.now();
  const { all, runs, lists, parts } = touched;
  const stale = (path: string, init: unknown) => {
    if (all) return true;
    const run = (init as { params?: { path?: { run?: string } } } | undefined)?.params?.path?.run;
    if (path.startsWith("/api/v1/runs/{run}") || path.startsWith("/api/v1/approvals/{run}")) return run !== undefined && runs.has(run);
    if (lists && (path === "/api/v1/runs" || path === "/api/v1/overview" || path.startsWith("/api/v1/dags"))) return true;
    const part = path.split("/")[3];
    return part !== undefined && parts.has(part);
  };
  Object.assign(touched, { all: false, runs: new Set(), lists: false, parts: new Set() });
  asking = true;
  await queries.invalidateQueries({
    // Older pages of a list stay as they were read, unless the connection was lost.
    predicate: ({ queryKey, meta }) => typeof queryKey[1] === "string" && (all || !meta?.still) && stale(queryKey[1], queryKey[2]),
  });
  asking = false;
  rest = Math.max(GATHER_MS, REST * (performance.now() - began));
  // What came meanwhile.
  if (touched.all || touched.lists || touched.runs.size + touched.parts.size > 0) touch(() => undefined);
}

function become(next: Connection) {
  connection = next;
  tell();
}

function lost() {
  if (connection.state !== "lost") become({ state: "lost", since: Date.now() });
}

function open() {
  source?.close();
  const stream = new EventSource("/api/v1/stream");
  source = stream;
  const on = (kind: string, act: (data: never) => void) =>
    stream.addEventListener(kind, (event) => {
      if (stream === source) act(JSON.parse((event as MessageEvent<string>).data) as never);
    });
  on("hello", () => {
    tries = 0;
    const was = connection.state;
    become({ state: "live" });
    // What passed while nobody listened is read again.
    if (was === "lost") touch(() => (touched.all = true));
  });
  on("run", ({ run }: Passing) =>
    touch(() => {
      touched.runs.add(run);
      touched.lists = true;
    }),
  );
  on("task", ({ run, task }: Passing) => {
    progress.delete(`${run} ${task}`);
    tell();
    touch(() => {
      touched.runs.add(run);
      touched.lists = true;
    });
  });
  on("metric", ({ run }: Passing) => touch(() => touched.runs.add(run)));
  on("progress", ({ run, task, ...rest }: Passing & Progress) => {
    progress.set(`${run} ${task}`, rest);
    tell();
  });
  on("event", ({ kind, subject }: { kind: string; subject: string }) =>
    touch(() => {
      for (const part of partsOf(kind)) touched.parts.add(part);
      if (kind.startsWith("run.")) touched.runs.add(subject);
      if (kind.startsWith("approval.")) touched.runs.add(subject.split("/")[0] ?? "");
    }),
  );
  stream.onerror = () => {
    if (stream !== source) return;
    lost();
    // Browsers give up after an answer that is no stream, and wait long after others: try ourselves.
    stream.close();
    clearTimeout(retry);
    retry = setTimeout(() => wanted && open(), RETRY_MS[Math.min(tries++, RETRY_MS.length - 1)]);
  };
}

/** A browser has six connections to a server for all its tabs: one that nobody looks at gives its own back. */
function onVisibility() {
  clearTimeout(asleep);
  if (document.hidden) {
    asleep = setTimeout(() => {
      source?.close();
      source = undefined;
      clearTimeout(retry);
    }, ASLEEP_AFTER_MS);
  } else if (wanted && !source) {
    touch(() => (touched.all = true));
    open();
  }
}

/** Opens the stream; the answer closes it. */
export function listen(): () => void {
  wanted = true;
  open();
  const again = () => connection.state === "lost" && open();
  window.addEventListener("online", again);
  document.addEventListener("visibilitychange", onVisibility);
  return () => {
    wanted = false;
    window.removeEventListener("online", again);
    document.removeEventListener("visibilitychange", onVisibility);
    clearTimeout(asleep);
    clearTimeout(retry);
    source?.close();
    source = undefined;
  };
}

/** Tries at once, for the button beside the notice. */
export function reconnect() {
  if (wanted) open();
}
