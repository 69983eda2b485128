import { Link } from "wouter";
import { api, client, type Schemas } from "../api/client";
import { useNow, Time, Took } from "../ui/Time";
import { to } from "../lib/address";
import { count, duration, plural } from "../lib/format";
import { look } from "../lib/states";
import { Cause } from "../parts/RunBits";
import { ActButton, useAct } from "../ui/Act";
import { Section, Words } from "../ui/Bits";
import { Code, Id } from "../ui/Copy";
import { Empty, Loaded } from "../ui/Notes";
import { Status } from "../ui/Status";
import { Table, type Column } from "../ui/Table";
import { FIRST } from "../parts/first";

type Data = Schemas["Overview"];

export default function Overview() {
  const overview = api.useQuery("get", "/api/v1/overview");
  return (
    <>
      <div className="page-head">
        <h1>{overview.data ? headline(overview.data) : "Overview"}</h1>
      </div>
      <Loaded of={overview} rows={10}>
        {(data) => (
          <>
            <Counts counts={data.counts} />
            <Bad data={data} />
            <Waiting items={data.waiting} />
            <Running items={data.running} />
            <Fresh items={data.freshness} />
            {untouched(data) && <Start />}
          </>
        )}
      </Loaded>
    </>
  );
}

/** Is it healthy, in a line. */
export function headline({ failed, late, waiting, running }: Pick<Data, "failed" | "late" | "waiting" | "running">): string {
  const parts = [
    failed.length > 0 && plural(failed.length, "DAG failing", "DAGs failing"),
    late.length > 0 && `${plural(late.length, "dataset")} late`,
    waiting.length > 0 && `${plural(waiting.length, "approval")} waiting`,
    running.length > 0 && `${plural(running.length, "run")} under way`,
  ].filter(Boolean);
  return parts.length > 0 ? parts.join(", ") : "All is well";
}

const untouched = (data: Data) => data.failed.length + data.waiting.length + data.running.length + data.freshness.length === 0 && Object.values(data.counts).every((n) => n === 0);

function Counts({ counts }: { counts: Data["counts"] }) {
  const states = Object.entries(counts).filter(([, n]) => n > 0);
  return (
    <p className="bar soft small" aria-label="runs of the last 24 hours">
      <span>Last 24 hours:</span>
      {states.length === 0 && <span>no run</span>}
      {states.map(([state, n]) => (
        <Link key={state} href={`/runs?state=${state}`}>
          <Status state={state} word={`${count(n)} ${look(state).word}`} />
        </Link>
      ))}
    </p>
  );
}

function Bad({ data: { failed, late } }: { data: Data }) {
  const { act, busy } = useAct();
  if (failed.length + late.length === 0) return null;
  return (
    <Section title="Failing and late">
      <ul className="list">
        {failed.map((run) => (
          <li key={run.id}>
            <Status state={run.state} />
            <Link href={to.dag(run.dag)}>{run.dag}</Link>
            <Id id={run.id} to={to.run(run.id)} what="run id" />
            <span className="soft">
              <Time at={run.ended_at} />
            </span>
            <span className="break" style={{ flex: "1 1 260px" }}>
              {run.error?.task && <strong>{run.error.task}: </strong>}
              <Words text={run.error?.message ?? "It failed."} />{" "}
              <span className="soft">
                <Words text={run.error?.hint ?? ""} />
              </span>
            </span>
            <span className="bar push">
              {run.error?.task && (
                <Link className="btn" href={to.run(run.id, "logs", run.error.task)}>
                  Log
                </Link>
              )}
              <ActButton need="operate" disabled={busy} onClick={() => void act(() => client.POST("/api/v1/runs/{run}/retry", { params: { path: { run: run.id } }, body: {} }), "Trying again.")}>
                Retry
              </ActButton>
            </span>
          </li>
        ))}
        {late.map((item) => (
          <li key={item.dataset}>
            <Status state="late" />
            <Link href={to.dataset(item.dataset)}>{item.dataset}</Link>
            <span>
              newest version <Time at={item.newest_at} none="never" />, due <Time at={item.deadline} />
            </span>
          </li>
        ))}
      </ul>
    </Section>
  );
}

function Waiting({ items }: { items: Data["waiting"] }) {
  if (items.length === 0) return null;
  return (
    <Section title="Waiting for approval">
      <ul className="list">
        {items.map((item) => (
          <li key={`${item.run} ${item.task}`}>
            <Status state="waiting" word="waiting" />
            <Link href={to.approval(item.run, item.task)}>{item.question || item.task}</Link>
            <Id id={item.run} to={to.run(item.run)} what="run id" />
            <span className="soft">
              asked <Time at={item.opened_at} />
              {item.expires_at && (
                <>
                  , {item.on_timeout} <Time at={item.expires_at} />
                </>
              )}
            </span>
            <Link className="btn push" href={to.approval(item.run, item.task)}>
              Look at the evidence
            </Link>
          </li>
        ))}
      </ul>
    </Section>
  );
}

const running: Column<Schemas["RunningItem"]>[] = [
  { key: "state", head: "State", cell: (run) => <Status state={run.state} />, width: 170 },
  { key: "dag", head: "DAG", cell: (run) => <Link href={to.dag(run.dag)}>{run.dag}</Link> },
  { key: "run", head: "Run", cell: (run) => <Id id={run.id} to={to.run(run.id)} what="run id" /> },
  {
    key: "tasks",
    head: "Tasks",
    cell: (run) => (
      <span className="bar" style={{ gap: 10 }}>
        {Object.entries(run.tasks).map(([state, n]) => (
          <Status key={state} state={state} word={`${n} ${look(state).word}`} />
        ))}
      </span>
    ),
  },
  { key: "by", head: "Started by", cell: (run) => <Cause trigger={run.trigger} /> },
  { key: "took", head: "For", num: true, cell: (run) => <Took from={run.started_at ?? run.created_at} to={run.ended_at} /> },
];

function Running({ items }: { items: Data["running"] }) {
  return (
    <Section title="Running now">
      {items.length > 0 ? <Table label="runs under way" rows={items} columns={running} rowKey={(run) => run.id} /> : <p className="soft">Nothing runs.</p>}
    </Section>
  );
}

const fresh: Column<Schemas["FreshnessItem"]>[] = [
  { key: "dataset", head: "Dataset", cell: (item) => <Link href={to.dataset(item.dataset)}>{item.dataset}</Link> },
  { key: "state", head: "State", cell: (item) => (item.late ? <Status state="late" /> : <Status state="succeeded" word={item.deadline ? "on time" : "no deadline"} />) },
  { key: "version", head: "Version", num: true, cell: (item) => (item.version ? <Link href={to.dataset(item.dataset, item.version)}>{item.version}</Link> : "–") },
  { key: "newest", head: "Newest", num: true, cell: (item) => <Time at={item.newest_at} none="never" /> },
  { key: "deadline", head: "Due", num: true, cell: (item) => <Due at={item.deadline} /> },
];

function Due({ at }: { at: string | null | undefined }) {
  const now = useNow();
  if (!at) return <span className="soft">–</span>;
  const left = Date.parse(at) - now;
  return <span className="nowrap">{left > 0 ? `in ${duration(left)}` : `${duration(-left)} late`}</span>;
}

function Fresh({ items }: { items: Data["freshness"] }) {
  if (items.length === 0) return null;
  return (
    <Section title="Freshness">
      <Table label="freshness of datasets" rows={items} columns={fresh} rowKey={(item) => item.dataset} />
    </Section>
  );
}

function Start() {
  const dags = api.useQuery("get", "/api/v1/dags", { params: { query: { runs: 0 } } });
  const first = dags.data?.items[0];
  return first ? (
    <Empty title="Nothing has run yet">
      <p>
        {plural(dags.data?.items.length ?? 0, "DAG is", "DAGs are")} loaded. <Link href={to.dag(first.name, "run")}>Run {first.name}</Link>, or look at <Link href="/dags">all DAGs</Link>.
      </p>
    </Empty>
  ) : (
    <Empty title="Nothing here yet">
      <p>Put a YAML file into the folder that the server watches. A first one:</p>
      <Code text={FIRST} label="a first DAG" />
    </Empty>
  );
}
