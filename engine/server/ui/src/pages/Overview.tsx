import { Link } from "wouter";
import { api, type Schemas } from "../api/client";
import { to } from "../lib/address";
import { count, plural } from "../lib/format";
import { look } from "../lib/states";
import { FIRST } from "../parts/first";
import { Code } from "../ui/Copy";
import { Empty, Loaded } from "../ui/Notes";
import { Status } from "../ui/Status";
import { Bad, troubled, Waiting } from "./overview/Attention";
import { Changes } from "./overview/Changes";
import { Fresh, Running } from "./overview/Now";

type Data = Schemas["Overview"];

export default function Overview() {
  // A file that breaks and a queue that is lost leave no event behind.
  const overview = api.useQuery("get", "/api/v1/overview", {}, { refetchInterval: 5_000 });
  return (
    <>
      <div className="page-head">
        <h1>{overview.data && (!untouched(overview.data) || troubled(overview.data)) ? headline(overview.data) : "Overview"}</h1>
      </div>
      <Loaded of={overview} rows={10}>
        {(data) => (
          <>
            <Counts counts={data.counts} />
            <Bad data={data} />
            <Waiting items={data.waiting} />
            {!untouched(data) && <Running items={data.running} />}
            <Changes />
            <Fresh items={data.freshness} />
            {untouched(data) && <Start />}
          </>
        )}
      </Loaded>
    </>
  );
}

/** Is it healthy, in a line. */
export function headline({ failed, broken, trigger_failures, queues, destinations, late, waiting, running }: Omit<Data, "freshness" | "counts" | "cursor">): string {
  const parts = [
    failed.length > 0 && plural(failed.length, "DAG failing", "DAGs failing"),
    broken.length > 0 && plural(broken.length, "DAG file broken", "DAG files broken"),
    trigger_failures.length > 0 && plural(trigger_failures.length, "trigger failing", "triggers failing"),
    queues.length > 0 && plural(queues.length, "queue not connected", "queues not connected"),
    destinations.length > 0 && plural(destinations.length, "destination failing", "destinations failing"),
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
