import { Link } from "wouter";
import { api, type Schemas } from "../api/client";
import { to, useParam } from "../lib/address";
import { figure } from "../lib/format";
import { rank } from "../lib/rank";
import { Code } from "../ui/Copy";
import { Filter } from "../ui/Filter";
import { Empty, Loaded } from "../ui/Notes";
import { Table, type Column } from "../ui/Table";
import { Time } from "../ui/Time";
import { Made } from "./Datasets";

type Item = Schemas["ModelItem"];

const columns: Column<Item>[] = [
  { key: "name", head: "Model", value: (item) => item.name, cell: (item) => <Link href={to.model(item.name)}>{item.name}</Link> },
  { key: "version", head: "Newest", num: true, value: (item) => item.latest.version, cell: (item) => <Link href={to.model(item.name, item.latest.version)}>{item.latest.version}</Link> },
  {
    key: "aliases",
    head: "Aliases",
    cell: (item) =>
      item.aliases.length > 0 ? (
        <span className="bar" style={{ gap: 8 }}>
          {item.aliases.map((alias) => (
            <Link key={alias.label} href={to.model(item.name, alias.version)} className="chip">
              {alias.label} → {alias.version}
            </Link>
          ))}
        </span>
      ) : (
        <span className="soft">none</span>
      ),
  },
  { key: "base", head: "On", cell: (item) => item.latest.base ?? <span className="soft">nothing</span> },
  { key: "metrics", head: "Figures", cell: (item) => <Figures values={item.latest.metrics} /> },
  { key: "at", head: "Registered", num: true, value: (item) => item.latest.created_at, cell: (item) => <Time at={item.latest.created_at} /> },
  { key: "by", head: "Made by", cell: (item) => <Made run={item.latest.run} task={item.latest.task} /> },
];

/** A few figures in a line. */
export function Figures({ values, most = 3 }: { values: Record<string, unknown>; most?: number }) {
  const shown = Object.entries(values).filter(([, value]) => typeof value === "number");
  return (
    <span className="clip" title={shown.map(([name, value]) => `${name} ${figure(value)}`).join("\n")}>
      {shown.slice(0, most).map(([name, value]) => (
        <span key={name} style={{ marginRight: 10 }}>
          <span className="soft">{name}</span> {figure(value)}
        </span>
      ))}
    </span>
  );
}

export default function Models() {
  const [q, setQ] = useParam("q");
  const models = api.useQuery("get", "/api/v1/models", { params: { query: { limit: 500 } } });
  return (
    <>
      <div className="page-head">
        <h1>Models</h1>
      </div>
      <Loaded of={models} rows={6}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title="No model yet">
              <p>
                A <code>train</code> step registers one. The example DAG does all of it, from documents to a model that waits for approval:
              </p>
              <Code text={`twinloom run dags/twin.yaml --server ${location.origin}`} label="command" />
            </Empty>
          ) : (
            <>
              <div className="bar">
                <Filter label="search models" value={q} onChange={setQ} />
              </div>
              <Table label="models" rows={rank(items, q, (item) => item.name)} columns={columns} rowKey={(item) => item.name} sortParam="sort" />
            </>
          )
        }
      </Loaded>
    </>
  );
}
