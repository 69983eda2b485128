import { useState } from "react";
import { Link } from "wouter";
import { api, client } from "../../api/client";
import { useProgress } from "../../api/live";
import { to } from "../../lib/address";
import { count, figure, plural } from "../../lib/format";
import { ended } from "../../lib/states";
import { ActButton, useAct } from "../../ui/Act";
import { Facts, Section } from "../../ui/Bits";
import { Code } from "../../ui/Copy";
import { Confirm } from "../../ui/Dialog";
import { Failure, Loaded } from "../../ui/Notes";
import { Status } from "../../ui/Status";
import { Time, Took } from "../../ui/Time";
import { Words } from "../../ui/Words";
import { Outputs } from "./Outputs";
import type { RunDetail } from "../Run";

/** Everything about one task of a run, and what can be done with it. */
export function TaskPanel({ run, task: id }: { run: RunDetail; task: string }) {
  const task = api.useQuery("get", "/api/v1/runs/{run}/tasks/{task}", { params: { path: { run: run.id, task: id } } });
  return (
    <Loaded of={task} rows={6}>
      {(data) => (
        <div className="section" style={{ gap: 14 }} data-testid="task-panel">
          <div className="bar">
            <h2 className="break">{data.id}</h2>
            <Status state={data.state} />
          </div>
          {data.reason && <p className="break"><Words text={data.reason} /></p>}
          <Doing run={run.id} task={id} running={data.state === "running"} />
          {data.error && <Failure failure={data.error} />}
          <div className="bar">
            <Link className="btn" href={to.run(run.id, "logs", id)}>
              Log
            </Link>
            <RetryFrom run={run} task={id} />
            <Link className="btn" href={to.run(run.id, "why", id)}>
              Why
            </Link>
          </div>
          <Facts
            stack
            items={[
              ["Operator", <code key="o">{data.operator}</code>],
              ["Step", data.step],
              ["Pool", data.pool],
              ["If", data.condition && <code>{data.condition}</code>],
              ["In the queue", <Took key="q" from={data.queued_at} to={data.started_at} />],
              ["At work", <Took key="w" from={data.started_at} to={data.ended_at} />],
              ["Attempts", data.attempts > 0 ? count(data.attempts) : null],
              ["Tried again", data.next_attempt_at && <Time at={data.next_attempt_at} />],
              ["Variant", Object.keys(data.variant).length > 0 && Object.entries(data.variant).map(([key, value]) => `${key} = ${figure(value)}`).join(", ")],
            ]}
          />
          {data.inputs.length > 0 && (
            <Section title="Inputs">
              <ul className="list">
                {data.inputs.map((input) => (
                  <li key={input.port}>
                    <code>{input.port}</code>
                    <span className="break soft">
                      {input.reference ? <Reference text={input.reference} kind={input.from} /> : `${input.tasks.slice(0, 3).join(", ")}${input.tasks.length > 3 ? ` and ${input.tasks.length - 3} more` : ""}${input.output ? `, ${input.output}` : ""}`}
                    </span>
                  </li>
                ))}
              </ul>
            </Section>
          )}
          {data.outputs.length > 0 && (
            <Section title="Outputs">
              <Outputs items={data.outputs} />
            </Section>
          )}
          {Object.keys(data.metrics).length > 0 && (
            <Section title="Figures">
              <Facts stack items={Object.entries(data.metrics).map(([name, value]) => [name, figure(value)])} />
            </Section>
          )}
          {data.attempt_history.length > 1 && (
            <Section title="Attempts">
              <ul className="list">
                {data.attempt_history.map((one) => (
                  <li key={one.attempt}>
                    {one.attempt}
                    <Status state={one.outcome === null || one.outcome === undefined ? "running" : one.outcome === "succeeded" ? "succeeded" : one.outcome === "cancelled" ? "cancelled" : "failed"} word={one.outcome ?? "running"} />
                    <Took from={one.started_at} to={one.ended_at} />
                    {one.error?.message && <span className="soft small break">{one.error.message}</span>}
                  </li>
                ))}
              </ul>
            </Section>
          )}
          <details>
            <summary>Configuration</summary>
            <Code text={JSON.stringify(data.config, null, 2)} label="configuration" />
          </details>
        </div>
      )}
    </Loaded>
  );
}

function Reference({ text, kind }: { text: string; kind: string }) {
  const [name = "", version] = text.replace(/^(dataset|model):/, "").split("@");
  return <Link href={to.artifact(kind, name, version && /^\d+$/.test(version) ? version : null)}>{text}</Link>;
}

function Doing({ run, task, running }: { run: string; task: string; running: boolean }) {
  const progress = useProgress(run, task);
  if (!progress || !running) return null;
  const { done, total, unit } = progress;
  return (
    <div className="section" style={{ gap: 4 }}>
      <progress value={done} max={total ?? undefined} style={{ width: "100%" }} aria-label={`progress of ${task}`} />
      <span className="small soft">
        {count(done)}
        {total ? ` of ${count(total)}` : ""} {unit}
      </span>
    </div>
  );
}

/** Runs the task and all that comes after it again. */
export function RetryFrom({ run, task }: { run: RunDetail; task: string }) {
  const [asking, setAsking] = useState(false);
  const { act, busy } = useAct();
  const graph = api.useQuery("get", "/api/v1/runs/{run}/graph", { params: { path: { run: run.id } } }, { enabled: asking });
  if (!ended(run.state) || run.state === "skipped") return null;
  const after = graph.data ? downstream(task, graph.data.edges) : [];
  const go = () => void act(() => client.POST("/api/v1/runs/{run}/retry", { params: { path: { run: run.id } }, body: { from: task } }), `Running again from ${task}.`).then(() => setAsking(false));
  return (
    <>
      <ActButton need="operate" onClick={() => setAsking(true)}>
        Retry from here
      </ActButton>
      {asking && (
        <Confirm title={`Run ${task} again?`} verb={`Run ${plural(after.length + 1, "task")} again`} busy={busy} onConfirm={go} onClose={() => setAsking(false)}>
          <p>
            {after.length > 0 ? (
              <>
                With it, {plural(after.length, "task")} after it: {after.slice(0, 8).join(", ")}
                {after.length > 8 ? ", …" : ""}.
              </>
            ) : (
              "Nothing comes after it."
            )}
          </p>
          <p className="soft">Versions that are published already stay; where the result is the same, no new version is made.</p>
        </Confirm>
      )}
    </>
  );
}

export function downstream(task: string, edges: { from: string; to: string }[]): string[] {
  const found = new Set<string>();
  const open = [task];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    for (const { from, to } of edges) {
      if (from === at && !found.has(to) && to !== task) {
        found.add(to);
        open.push(to);
      }
    }
  }
  return [...found];
}
