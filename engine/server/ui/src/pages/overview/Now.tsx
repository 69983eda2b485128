import { Link } from "wouter";
import type { Schemas } from "../../api/client";
import { to } from "../../lib/address";
import { duration } from "../../lib/format";
import { look } from "../../lib/states";
import { Cause } from "../../parts/RunBits";
import { Section } from "../../ui/Bits";
import { Id } from "../../ui/Copy";
import { Status } from "../../ui/Status";
import { Table, type Column } from "../../ui/Table";
import { Time, Took, useNow } from "../../ui/Time";

type Data = Schemas["Overview"];

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

/** Runs under way. */
export function Running({ items }: { items: Data["running"] }) {
  return (
    <Section title="Running now">
      {items.length > 0 ? <Table label="runs under way" rows={items} columns={running} rowKey={(run) => run.id} /> : <p className="soft">Nothing runs.</p>}
    </Section>
  );
}

const fresh: Column<Schemas["FreshnessItem"]>[] = [
  { key: "dataset", head: "Dataset", cell: (item) => <Link href={to.dataset(item.dataset)}>{item.dataset}</Link> },
  { key: "state", head: "State", cell: (item) => (item.late ? <Status state="late" /> : item.deadline ? <Status state="succeeded" word="on time" /> : <span className="soft">no deadline</span>) },
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

/** How new each dataset is. */
export function Fresh({ items }: { items: Data["freshness"] }) {
  if (items.length === 0) return null;
  return (
    <Section title="Freshness">
      <Table label="freshness of datasets" rows={items} columns={fresh} rowKey={(item) => item.dataset} />
    </Section>
  );
}
