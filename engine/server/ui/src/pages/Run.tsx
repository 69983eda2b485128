import { useState } from "react";
import { Link, useParams } from "wouter";
import { api, client, type Schemas } from "../api/client";
import { to } from "../lib/address";
import { plural } from "../lib/format";
import { ended, look } from "../lib/states";
import { Cause } from "../parts/RunBits";
import { ActButton, useAct } from "../ui/Act";
import { Facts, Tabs } from "../ui/Bits";
import { Id } from "../ui/Copy";
import { Confirm } from "../ui/Dialog";
import { Icon } from "../ui/Icon";
import { Failure, Loaded, Problem } from "../ui/Notes";
import { Status } from "../ui/Status";
import { Time, Took } from "../ui/Time";
import { Words } from "../ui/Words";
import { later, usePreloaded, type Later } from "../ui/later";

export type RunDetail = Schemas["RunDetail"];

const TABS: [string, string][] = [
  ["graph", "Graph"],
  ["tasks", "Tasks"],
  ["timeline", "Timeline"],
  ["logs", "Logs"],
  ["metrics", "Metrics"],
  ["artifacts", "Artifacts"],
  ["why", "Why"],
  ["yaml", "YAML"],
];

const PARTS: Record<string, Later<{ run: RunDetail }>> = {
  graph: later(() => import("./run/GraphTab")),
  tasks: later(() => import("./run/TasksTab")),
  timeline: later(() => import("./run/TimelineTab")),
  logs: later(() => import("./run/LogsTab")),
  metrics: later(() => import("./run/MetricsTab")),
  artifacts: later(() => import("./run/ArtifactsTab")),
  why: later(() => import("./run/WhyTab")),
  yaml: later(() => import("./run/YamlTab")),
};

export default function Run() {
  usePreloaded(PARTS);
  const { run: id = "", tab = "graph" } = useParams<{ run: string; tab?: string }>();
  const run = api.useQuery("get", "/api/v1/runs/{run}", { params: { path: { run: id } } });
  // Asked for at once, beside the run and not after it.
  api.useQuery("get", "/api/v1/runs/{run}/graph", { params: { path: { run: id } } }, { enabled: tab === "graph", notifyOnChangeProps: [] });
  const Part = PARTS[tab] ?? PARTS.graph;
  const task = new URLSearchParams(location.search).get("task");
  return (
    <Loaded of={run} rows={10}>
      {(data) => (
        <>
          <Header run={data} />
          <Tabs base={to.run(data.id)} tabs={TABS} current={tab in PARTS ? tab : "graph"} query={task ? `?task=${encodeURIComponent(task)}` : ""} />
          {Part && <Part run={data} />}
        </>
      )}
    </Loaded>
  );
}

function Header({ run }: { run: RunDetail }) {
  const [asking, setAsking] = useState(false);
  const { act, busy, error } = useAct();
  const path = { params: { path: { run: run.id } } };
  const over = ended(run.state);
  const open = run.tasks.filter((task) => !ended(task.state));
  const failed = run.tasks.filter((task) => task.state === "failed");
  const cancel = () => void act(() => client.POST("/api/v1/runs/{run}/cancel", { ...path, body: {} }), "The run is being cancelled.").then(() => setAsking(false));
  return (
    <>
      <div className="page-head">
        <h1>
          <Link href={to.dag(run.dag)}>{run.dag}</Link> <Id id={run.id} what="run id" />
        </h1>
        <Status state={run.state} />
        <div className="actions">
          {over && run.state !== "skipped" && (
            <ActButton need="operate" disabled={busy} title="Runs what failed or did not run again; what succeeded stays." onClick={() => void act(() => client.POST("/api/v1/runs/{run}/retry", { ...path, body: {} }), "Trying again.")}>
              <Icon name="retry" size={14} /> Retry
            </ActButton>
          )}
          {!over && (
            <ActButton need="operate" className="danger" disabled={busy} onClick={() => setAsking(true)}>
              <Icon name="stop" size={13} /> Cancel
            </ActButton>
          )}
        </div>
      </div>
      <Facts
        items={[
          ["Started by", <Cause key="c" trigger={run.trigger} whole />],
          ["Asked for", <Time key="a" at={run.created_at} />],
          ["Took", <Took key="t" from={run.started_at} to={run.ended_at} />],
          ["Tasks", <TaskCounts key="n" tasks={run.tasks} />],
          ...Object.entries(run.params)
            .slice(0, 6)
            .map(([name, value]): [string, React.ReactNode] => [name, <code key={name}>{short(value)}</code>]),
        ]}
      />
      {error !== undefined && <Problem error={error} />}
      {run.error && run.state === "failed" && (
        <Failure failure={run.error} title={failed.length > 1 ? `${plural(failed.length, "task")} failed` : run.error.task ? `${run.error.task} failed` : "The run failed"}>
          {run.error.task && (
            <>
              <Link className="btn" href={to.run(run.id, "logs", run.error.task)}>
                Read its log
              </Link>
              <ActButton need="operate" disabled={busy} onClick={() => void act(() => client.POST("/api/v1/runs/{run}/retry", { ...path, body: {} }), "Trying again.")}>
                Retry
              </ActButton>
              <Link className="btn" href={to.dag(run.dag, "yaml")}>
                Edit the DAG
              </Link>
            </>
          )}
        </Failure>
      )}
      {run.tasks
        .filter((task) => task.state === "waiting")
        .map((task) => (
          <div key={task.id} className="note row tone-amber">
            <Status state="waiting" /> <strong>{task.id}</strong>
            <span><Words text={task.reason ?? ""} /></span>
            <Link className="btn primary push" href={to.approval(run.id, task.id)}>
              Look at the evidence
            </Link>
          </div>
        ))}
      {asking && (
        <Confirm title={`Cancel this run of ${run.dag}?`} verb="Cancel the run" busy={busy} onConfirm={cancel} onClose={() => setAsking(false)}>
          <p>
            {plural(open.length, "task")} that {open.length === 1 ? "has" : "have"} not ended {open.length === 1 ? "is" : "are"} stopped or never started: {open.slice(0, 6).map((task) => task.id).join(", ")}
            {open.length > 6 ? ", …" : ""}.
          </p>
          <p>What has been published stays. The run can be retried later.</p>
        </Confirm>
      )}
    </>
  );
}

function short(value: unknown): string {
  const text = typeof value === "string" ? value || '""' : JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

function TaskCounts({ tasks }: { tasks: RunDetail["tasks"] }) {
  const counts = new Map<string, number>();
  for (const task of tasks) counts.set(task.state, (counts.get(task.state) ?? 0) + 1);
  return (
    <span className="bar" style={{ gap: 10 }}>
      {[...counts].map(([state, n]) => (
        <Status key={state} state={state} word={`${n} ${look(state).word}`} />
      ))}
    </span>
  );
}
