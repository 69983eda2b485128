// What an event says, in a few words; the whole of it is in its payload.
import type { Schemas } from "../api/client";
import { figure, moment, oneLine, plural } from "./format";

type Event = Schemas["EventItem"];
export interface Changed {
  added: number;
  changed: number;
  removed: number;
}

const text = (value: unknown) => (typeof value === "string" ? value : "");

/** Rows that came, changed and went with a version. */
export function changesIn({ payload }: Event): Changed | undefined {
  const changes = payload.changes as Changed | null | undefined;
  return changes && typeof changes.added === "number" ? changes : undefined;
}

export function summary({ kind, payload }: Event): string {
  const run = `${text(payload.dag)}, ${text(payload.state)}`;
  const comment = payload.comment ? `: ${text(payload.comment)}` : "";
  switch (kind) {
    case "run.started":
      return text(payload.dag);
    case "run.ended":
      return run;
    case "dataset.published":
      return typeof payload.rows === "number" ? plural(payload.rows, "row") : "";
    case "model.registered":
      return Object.entries((payload.metrics ?? {}) as Record<string, unknown>).filter(([, value]) => typeof value === "number").slice(0, 3).map(([name, value]) => `${name} ${figure(value)}`).join(", ");
    case "alias.moved":
      return `to version ${oneLine(payload.version)}${payload.previous ? ` from ${oneLine(payload.previous)}` : ""}${payload.reason ? `: ${text(payload.reason)}` : ""}`;
    case "approval.opened":
      return text(payload.question);
    case "approval.decided":
    case "approval.given":
      return `${payload.approved === true ? "approved" : "rejected"}${payload.by ? ` by ${text(payload.by)}` : ""}${comment}`;
    case "freshness.missed":
      return payload.newest_at ? `the newest version is of ${moment(text(payload.newest_at))}` : "there is no version yet";
    default:
      return Object.entries(payload).map(([key, value]) => `${key}: ${oneLine(value)}`).join("  ");
  }
}
