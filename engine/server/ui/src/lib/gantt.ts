// A run's time as segments: in the queue, at work, waiting for a person, waiting for the next attempt.

export type SegmentKind = "queued" | "running" | "waiting" | "backoff";

export interface Segment {
  kind: SegmentKind;
  from: number;
  to: number;
  /** How it ended, of an attempt. */
  outcome?: string | undefined;
  attempt?: number;
}

export interface GanttTask {
  id: string;
  state: string;
  operator: string;
  attempts: number;
  queued_at?: string | null | undefined;
  started_at?: string | null | undefined;
  ended_at?: string | null | undefined;
}

export interface Attempt {
  attempt: number;
  started_at: string;
  ended_at?: string | null | undefined;
  outcome?: string | null | undefined;
}

const time = (at: string | null | undefined) => (at ? Date.parse(at) : undefined);

export function segments(task: GanttTask, attempts: Attempt[], now: number): Segment[] {
  const queued = time(task.queued_at);
  const end = time(task.ended_at) ?? now;
  const work: SegmentKind = task.state === "waiting" || task.operator === "approve" ? "waiting" : "running";
  const found: Segment[] = [];
  const tries = attempts.length > 0 ? [...attempts].sort((a, b) => a.attempt - b.attempt) : [];
  const firstStart = time(tries[0]?.started_at ?? task.started_at);
  if (queued !== undefined) found.push({ kind: "queued", from: queued, to: Math.max(queued, firstStart ?? end) });
  if (tries.length === 0) {
    if (firstStart !== undefined) found.push({ kind: work, from: firstStart, to: Math.max(firstStart, end), outcome: task.ended_at ? task.state : undefined });
    return found.filter(({ from, to }) => to > from || found.length === 1);
  }
  for (const [index, one] of tries.entries()) {
    const from = Date.parse(one.started_at);
    const next = time(tries[index + 1]?.started_at);
    // An attempt that asked for a person has ended; what follows is the wait.
    const to = time(one.ended_at) ?? next ?? end;
    found.push({ kind: work === "waiting" && one.outcome === null ? "waiting" : "running", from, to: Math.max(from, to), outcome: one.outcome ?? undefined, attempt: one.attempt });
    if (next !== undefined) found.push({ kind: "backoff", from: to, to: next });
    else if (work === "waiting" && end > to) found.push({ kind: "waiting", from: to, to: end });
    else if (!task.ended_at && one.ended_at && task.state !== "running") found.push({ kind: "backoff", from: to, to: end });
  }
  return found.filter(({ from, to }) => to > from);
}

/** Round distances between marks of an axis that is `span` long, about `count` of them. */
export function ticks(span: number, count: number): number[] {
  const steps = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 1.5e4, 3e4, 6e4, 12e4, 3e5, 6e5, 9e5, 18e5, 36e5, 72e5, 216e5, 432e5, 864e5];
  const step = steps.find((one) => span / one <= count) ?? 864e5 * Math.ceil(span / 864e5 / count);
  return Array.from({ length: Math.floor(span / step) + 1 }, (_, index) => index * step);
}
