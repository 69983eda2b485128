import { lazy, useMemo } from "react";
import { Link, useLocation } from "wouter";
import { api, type Schemas } from "../api/client";
import { to, useParam } from "../lib/address";
import { curve, smooth, type Curve } from "../lib/curves";
import { asYaml, best, columnsOf, lessIsBetter, numeric, type Row } from "../lib/experiments";
import { figure, oneLine } from "../lib/format";
import { CurveControls, useCurveControls } from "../parts/CurveControls";
import { Parallel } from "../parts/Parallel";
import { Section } from "../ui/Bits";
import { Code, Id } from "../ui/Copy";
import { Empty, Loaded } from "../ui/Notes";
import { Status } from "../ui/Status";
import { Table, type Column } from "../ui/Table";
import { Time } from "../ui/Time";

const Chart = lazy(() => import("../parts/Chart"));

/** Curves are overlaid for so many runs at most. */
const MOST_CURVES = 8;

export default function Experiments() {
  const dags = api.useQuery("get", "/api/v1/dags", { params: { query: { runs: 0, limit: 500 } } });
  const [dag, setDag] = useParam("dag");
  const experiments = api.useQuery("get", "/api/v1/experiments", { params: { query: { dag: dag || undefined, limit: 500 } } });
  return (
    <>
      <div className="page-head">
        <h1>Experiments</h1>
      </div>
      <div className="bar">
        <select className="input" aria-label="DAG" value={dag} onChange={(event) => setDag(event.target.value)}>
          <option value="">any DAG</option>
          {(dags.data?.items ?? []).map(({ name }) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </div>
      <Loaded of={experiments} rows={8}>
        {({ items }) => (items.some(({ metrics }) => Object.keys(metrics).length > 0) ? <Compare rows={items} /> : <Nothing />)}
      </Loaded>
    </>
  );
}

function Nothing() {
  return (
    <Empty title="No run has reported a metric yet">
      <p>
        Runs of steps that measure something, such as <code>train</code> and <code>evaluate</code>, are compared here. A matrix makes variants:
      </p>
      <Code text={"train:\n  uses: train\n  matrix: {rank: [8, 16], lr: [1e-4, 3e-4]}\n  select: {metric: eval_loss, goal: minimize}\n"} label="a matrix" />
    </Empty>
  );
}

function Compare({ rows }: { rows: Row[] }) {
  const params = useMemo(() => columnsOf(rows, "params"), [rows]);
  const metrics = useMemo(() => numeric(rows, columnsOf(rows, "metrics")), [rows]);
  const [shownParam, setShown] = useParam("columns");
  const shown = useMemo(() => new Set(shownParam ? shownParam.split(",") : [...params.slice(0, 4), ...metrics.slice(0, 5)]), [shownParam, params, metrics]);
  const [metricParam, setMetric] = useParam("metric");
  const metric = metricParam || (metrics.find((name) => /loss/.test(name)) ?? metrics[0] ?? "");
  const [goal, setGoal] = useParam("goal", lessIsBetter(metric) ? "minimize" : "maximize");
  const winner = best(rows, metric, goal);
  const [selectedParam, setSelected] = useParam("runs");
  const selected = useMemo(() => (selectedParam ? selectedParam.split(",") : rows.slice(0, 4).map(({ run }) => run)), [selectedParam, rows]);
  const [, go] = useLocation();
  const flipRun = (run: string) => setSelected((selected.includes(run) ? selected.filter((one) => one !== run) : [...selected, run].slice(-MOST_CURVES)).join(","));
  const flipColumn = (name: string) => {
    const next = new Set(shown);
    if (!next.delete(name)) next.add(name);
    setShown([...next].join(","));
  };
  const columns: Column<Row>[] = [
    { key: "pick", head: "Curves", width: 60, cell: (row) => <input type="checkbox" aria-label={`curves of run ${row.run.slice(-6)}`} checked={selected.includes(row.run)} onChange={() => flipRun(row.run)} /> },
    { key: "state", head: "State", value: (row) => row.state, cell: (row) => <Status state={row.state} /> },
    {
      key: "run",
      head: "Run",
      value: (row) => row.created_at,
      cell: (row) => (
        <span className="bar" style={{ gap: 6, flexWrap: "nowrap" }}>
          <Id id={row.run} to={to.run(row.run)} what="run id" /> {winner?.run === row.run && <span className="chip tone-green">best</span>}
        </span>
      ),
    },
    { key: "dag", head: "DAG", value: (row) => row.dag, cell: (row) => <Link href={to.dag(row.dag)}>{row.dag}</Link> },
    { key: "at", head: "Started", num: true, value: (row) => row.created_at, cell: (row) => <Time at={row.created_at} /> },
    ...params.filter((name) => shown.has(name)).map((name): Column<Row> => ({ key: name, head: name, value: (row) => plain(row.params[name]), cell: (row) => <div className="clip mono" title={oneLine(row.params[name])}>{oneLine(row.params[name])}</div> })),
    ...metrics.filter((name) => shown.has(name)).map((name): Column<Row> => ({ key: name, head: name, num: true, value: (row) => plain(row.metrics[name]), cell: (row) => (winner?.run === row.run && name === metric ? <strong>{figure(row.metrics[name])}</strong> : figure(row.metrics[name])) })),
  ];
  return (
    <>
      <div className="bar">
        <label className="check">
          Best by
          <select className="input" value={metric} onChange={(event) => setMetric(event.target.value)}>
            {metrics.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
        <select className="input" aria-label="goal" value={goal} onChange={(event) => setGoal(event.target.value)}>
          <option value="minimize">less is better</option>
          <option value="maximize">more is better</option>
        </select>
        <details className="columns">
          <summary className="btn">Columns</summary>
          <div className="bar">
            {[...params, ...metrics].map((name) => (
              <label key={name} className="check">
                <input type="checkbox" checked={shown.has(name)} onChange={() => flipColumn(name)} /> {name}
              </label>
            ))}
          </div>
        </details>
      </div>
      <Table label="runs" rows={rows} columns={columns} rowKey={(row) => row.run} sortParam="sort" selected={winner?.run ?? ""} height="50dvh" />
      <Section title="Parallel coordinates" aside="the best run is marked">
        <Parallel rows={rows} params={params} metrics={metrics.filter((name) => shown.has(name))} best={winner?.run} onOpen={(run) => go(to.run(run))} />
      </Section>
      <Curves runs={selected} rows={rows} />
      {winner && (
        <Section title="Best configuration" aside={`${metric} ${figure(winner.metrics[metric])} in run ${winner.run.slice(-6)}`}>
          <Code text={asYaml(winner.params)} label="best configuration as YAML" />
        </Section>
      )}
    </>
  );
}

const plain = (value: unknown): string | number | null => (typeof value === "number" ? value : value === undefined || value === null ? null : oneLine(value));

function Curves({ runs, rows }: { runs: string[]; rows: Row[] }) {
  const controls = useCurveControls();
  const curves = api.useQuery("get", "/api/v1/experiments/curves", { params: { query: { run: runs } } }, { enabled: runs.length > 0 });
  const charts = useMemo(() => {
    const found = new Map<string, Curve[]>();
    for (const series of curves.data?.series ?? []) {
      const many = (curves.data?.series ?? []).filter((other: Schemas["Series"]) => other.run === series.run && other.name === series.name).length > 1;
      const dag = rows.find(({ run }) => run === series.run)?.dag ?? "";
      const one = curve(series, `${dag} ${series.run.slice(-6)}${many ? ` ${series.task}` : ""}`, controls.byTime);
      if (one.points.length > 1) found.set(series.name, [...(found.get(series.name) ?? []), { ...one, points: smooth(one.points, controls.weight) }]);
    }
    return [...found];
  }, [curves.data, rows, controls.byTime, controls.weight]);
  if (runs.length === 0) return <p className="soft">Choose runs in the table to see their curves.</p>;
  return (
    <Section title="Curves" aside={`of the runs that are ticked, ${MOST_CURVES} at most`}>
      <Loaded of={curves} rows={4}>
        {() =>
          charts.length > 0 ? (
            <>
              <CurveControls {...controls} />
              <div className="charts">
                {charts.map(([name, list]) => (
                  <Chart key={name} title={name} curves={list} log={controls.log} byTime={controls.byTime} />
                ))}
              </div>
            </>
          ) : (
            <p className="soft">These runs have no curve.</p>
          )
        }
      </Loaded>
    </Section>
  );
}
