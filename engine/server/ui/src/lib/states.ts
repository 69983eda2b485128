// The states of runs and tasks: one shape, one colour, one word each, everywhere.

export type Tone = "green" | "teal" | "blue" | "grey" | "amber" | "red";
export interface Look {
  word: string;
  tone: Tone;
}

export const STATES = {
  succeeded: { word: "succeeded", tone: "green" },
  cached: { word: "cached", tone: "teal" },
  running: { word: "running", tone: "blue" },
  queued: { word: "queued", tone: "grey" },
  pending: { word: "pending", tone: "grey" },
  waiting: { word: "waiting for approval", tone: "amber" },
  failed: { word: "failed", tone: "red" },
  upstream_failed: { word: "upstream failed", tone: "red" },
  skipped: { word: "skipped", tone: "grey" },
  cancelled: { word: "cancelled", tone: "grey" },
  late: { word: "late", tone: "amber" },
} as const satisfies Record<string, Look>;

export type State = keyof typeof STATES;

export function look(state: string): Look {
  return STATES[state as State] ?? { word: state, tone: "grey" };
}

export const RUN_STATES: State[] = ["running", "waiting", "queued", "failed", "succeeded", "cancelled", "skipped"];

/** Whether nothing more happens unless someone retries. */
export function ended(state: string): boolean {
  return !["pending", "queued", "running", "waiting"].includes(state);
}
