import { Link, useParams } from "wouter";
import { api, client, type Schemas } from "../api/client";
import { to } from "../lib/address";
import { plural } from "../lib/format";
import { LastRuns } from "../parts/RunBits";
import { ActButton, useAct } from "../ui/Act";
import { Facts, Tabs } from "../ui/Bits";
import { Icon } from "../ui/Icon";
import { Loaded, Problem } from "../ui/Notes";
import { Time } from "../ui/Time";
import { Words } from "../ui/Words";
import { DagState, Triggers } from "./Dags";
import { later, usePreloaded, type Later } from "../ui/later";

const TABS: [string, string][] = [
  ["grid", "Grid"],
  ["graph", "Graph"],
  ["schedule", "Schedule and triggers"],
  ["yaml", "YAML"],
  ["run", "Run"],
  ["backfill", "Backfill"],
];

const PARTS: Record<string, Later<{ dag: Schemas["DagDetail"] }>> = {
  grid: later(() => import("./dag/GridTab")),
  graph: later(() => import("./dag/GraphTab")),
  schedule: later(() => import("./dag/ScheduleTab")),
  yaml: later(() => import("./dag/YamlTab")),
  run: later(() => import("./dag/RunTab")),
  backfill: later(() => import("./dag/BackfillTab")),
};
const NewDag = later(() => import("./dag/NewDag"));

export default function Dag() {
  const { name = "", tab = "grid" } = useParams<{ name: string; tab?: string }>();
  if (name === "new" && new URLSearchParams(location.search).has("new")) return <NewDag />;
  return <Known name={name} tab={tab} />;
}

function Known({ name, tab }: { name: string; tab: string }) {
  usePreloaded(PARTS);
  const dag = api.useQuery("get", "/api/v1/dags/{dag}", { params: { path: { dag: name } } }, { refetchInterval: 3000 });
  const Part = PARTS[tab] ?? PARTS.grid;
  return (
    <Loaded of={dag} rows={8}>
      {(data) => (
        <>
          <Header dag={data} editing={tab === "yaml"} />
          <Tabs base={to.dag(name)} tabs={TABS} current={tab in PARTS ? tab : "grid"} />
          {Part && <Part dag={data} />}
        </>
      )}
    </Loaded>
  );
}

function Header({ dag, editing }: { dag: Schemas["DagDetail"]; editing: boolean }) {
  const { act, busy, error } = useAct();
  const path = { params: { path: { dag: dag.name } } };
  return (
    <>
      <div className="page-head">
        <h1>{dag.name}</h1>
        <DagState dag={dag} />
        <LastRuns runs={dag.last_runs} />
        <div className="actions">
          {dag.paused ? (
            <ActButton need="operate" disabled={busy} onClick={() => void act(() => client.POST("/api/v1/dags/{dag}/resume", path), `${dag.name} starts by itself again.`)}>
              <Icon name="play" size={13} /> Resume
            </ActButton>
          ) : (
            <ActButton need="operate" disabled={busy} title="Its triggers start nothing until it is resumed; people still can." onClick={() => void act(() => client.POST("/api/v1/dags/{dag}/pause", path), `${dag.name} is paused: its triggers start nothing.`)}>
              <Icon name="pause" size={13} /> Pause
            </ActButton>
          )}
          <Link className="btn primary" href={to.dag(dag.name, "run")}>
            <Icon name="play" size={13} /> Run
          </Link>
        </div>
      </div>
      {dag.description && <p className="soft">{dag.description}</p>}
      <Facts
        items={[
          ["File", <code key="f">{dag.path}</code>],
          ["Owner", dag.owner],
          ["Started by", <Triggers key="t" triggers={dag.triggers} />],
          ["Next", dag.next_fire && <Time at={dag.next_fire} />],
          ["At a time", dag.max_runs && `${plural(dag.max_runs, "run")}${dag.when_busy ? `, one more is ${{ queue: "queued", skip: "skipped", cancel: "started and cancels the old" }[dag.when_busy] ?? dag.when_busy}` : ""}`],
        ]}
      />
      {error !== undefined && <Problem error={error} />}
      {!dag.valid && !editing && (
        <div className="note tone-red" role="group" aria-label="errors in the file">
          <div className="title">
            {plural(dag.diagnostics.length, "error")} in {dag.path}; {dag.steps.length > 0 ? "what was loaded before stays in force" : "nothing of it is loaded"}
          </div>
          {dag.diagnostics.slice(0, 3).map((one, index) => (
            <div key={index}>
              <Link href={`${to.dag(dag.name, "yaml")}?line=${one.line}`}>
                line {one.line}, column {one.column}
              </Link>
              : <Words text={one.message} /> <span className="mono soft">{one.code}</span>
            </div>
          ))}
        </div>
      )}
    </>
  );
}
