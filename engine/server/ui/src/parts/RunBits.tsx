// A run's bits that many pages show.
import { Link } from "wouter";
import type { Schemas } from "../api/client";
import { to } from "../lib/address";
import { moment, oneLine } from "../lib/format";
import { look } from "../lib/states";
import { unmarked } from "../lib/words";
import { Id } from "../ui/Copy";
import { StateShape, Status } from "../ui/Status";
import type { Column } from "../ui/Table";
import { Time, Took } from "../ui/Time";
import { Words } from "../ui/Words";

export type RunItem = Schemas["RunItem"];

/** What started a run: who, or why its trigger fired. In a table it has one line. */
export function Cause({ trigger, whole }: { trigger: Schemas["Cause"]; whole?: boolean }) {
  const reason = typeof trigger.detail.reason === "string" ? trigger.detail.reason : "";
  const by = trigger.by ? `${trigger.by}${trigger.kind === "manual" ? "" : `, ${trigger.kind}`}` : trigger.kind;
  return (
    <div className={whole ? "break" : "clip"} style={whole ? undefined : { maxWidth: "max(150px, 15vw)" }} title={reason ? `${trigger.kind}: ${unmarked(reason)}` : oneLine(trigger.detail)}>
      {reason ? <Words text={reason} /> : by}
    </div>
  );
}

/** The last runs as shapes, oldest first. */
export function LastRuns({ runs }: { runs: RunItem[] }) {
  if (runs.length === 0) return <span className="soft">no run yet</span>;
  return (
    <span className="last-runs">
      {[...runs].reverse().map((run) => {
        const { tone, word } = look(run.state);
        return (
          <Link key={run.id} href={to.run(run.id)} className={`cell tone-${tone}`} title={`${word}, ${moment(run.created_at)}`} aria-label={`run ${run.id.slice(-6)}: ${word}`}>
            <StateShape state={run.state} size={13} />
          </Link>
        );
      })}
    </span>
  );
}

export const runColumns: Column<RunItem>[] = [
  { key: "state", head: "State", cell: (run) => <Status state={run.state} />, width: 120 },
  { key: "run", head: "Run", cell: (run) => <Id id={run.id} to={to.run(run.id)} what="run id" />, width: 110 },
  { key: "dag", head: "DAG", cell: (run) => <Link href={to.dag(run.dag)}>{run.dag}</Link> },
  { key: "trigger", head: "Started by", cell: (run) => <Cause trigger={run.trigger} /> },
  { key: "created", head: "Asked for", cell: (run) => <Time at={run.created_at} />, num: true },
  { key: "took", head: "Took", cell: (run) => <Took from={run.started_at} to={run.ended_at} />, num: true },
  {
    key: "error",
    head: "Why",
    cell: (run) =>
      run.error ? (
        <div className="clip" style={{ maxWidth: "max(180px, 20vw)" }} title={unmarked(run.error.message ?? "")}>
          <Words text={run.error.message ?? run.error.code ?? ""} />
        </div>
      ) : null,
  },
];
