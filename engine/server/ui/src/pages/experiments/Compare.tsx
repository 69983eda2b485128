import { useMemo } from "react";
import { Link, useLocation } from "wouter";
import { to, useParam } from "../../lib/address";
import { asYaml, best, columnsOf, lessIsBetter, numeric, runsOf, variantsOf, type Row, type Trial } from "../../lib/experiments";
import { figure, oneLine } from "../../lib/format";
import { Parallel } from "../../parts/Parallel";
import { Section } from "../../ui/Bits";
import { Code, Id } from "../../ui/Copy";
import { Status } from "../../ui/Status";
import { Table, type Column } from "../../ui/Table";
import { Time } from "../../ui/Time";
import { Controls } from "./Controls";
import { Curves, MOST_CURVES } from "./Curves";

/** Runs, or their variants, as rows; the best of them; how their figures go together; their curves. */
export function Compare({ rows: runs, oneDag }: { rows: Row[]; oneDag: boolean }) {
  const variants = useMemo(() => variantsOf(runs), [runs]);
  const swept = variants.some(({ variant }) => variant !== "");
  const [by, setBy] = useParam("rows", swept ? "variants" : "runs");
  const rows = useMemo(() => (by === "variants" ? variants : runsOf(runs)), [by, variants, runs]);
  const params = useMemo(() => columnsOf(rows, "params"), [rows]);
  const metrics = useMemo(() => numeric(rows, columnsOf(rows, "metrics")), [rows]);
  const [shownParam, setShown] = useParam("columns");
  const shown = useMemo(() => new Set(shownParam ? shownParam.split(",") : [...params.slice(0, 4), ...metrics.slice(0, 5)]), [shownParam, params, metrics]);
  const [metricParam, setMetric] = useParam("metric");
  const metric = metrics.includes(metricParam) ? metricParam : (metrics.find((name) => /eval.*loss/.test(name)) ?? metrics.find((name) => /loss/.test(name)) ?? metrics[0] ?? "");
  const [goal, setGoal] = useParam("goal", lessIsBetter(metric) ? "minimize" : "maximize");
  const winner = best(rows, metric, goal);
  const [selectedParam, setSelected] = useParam("runs");
  const selected = useMemo(() => (selectedParam ? selectedParam.split(";") : rows.slice(0, 4).map(({ key }) => key)), [selectedParam, rows]);
  const [, go] = useLocation();
  const flipRun = (key: string) => setSelected((selected.includes(key) ? selected.filter((one) => one !== key) : [...selected, key].slice(-MOST_CURVES)).join(";"));
  const columns: Column<Trial>[] = [
    { key: "pick", head: "Curves", width: 60, cell: (row) => <input type="checkbox" aria-label={`curves of ${row.run.slice(-6)} ${row.variant}`} checked={selected.includes(row.key)} onChange={() => flipRun(row.key)} /> },
    { key: "run", head: "Run", value: (row) => row.created_at, width: 150, cell: (row) => <Name row={row} best={winner?.key === row.key} /> },
    ...(oneDag ? [] : [{ key: "dag", head: "DAG", value: (row: Trial) => row.dag, cell: (row: Trial) => <Link href={to.dag(row.dag)}>{row.dag}</Link> }]),
    ...params.filter((name) => shown.has(name)).map((name): Column<Trial> => ({ key: name, head: name, num: rows.every((row) => typeof row.params[name] !== "string"), value: (row) => plain(row.params[name]), cell: (row) => <div className="clip mono" title={oneLine(row.params[name])}>{oneLine(row.params[name])}</div> })),
    ...metrics.filter((name) => shown.has(name)).map((name): Column<Trial> => ({ key: name, head: name, num: true, value: (row) => plain(row.metrics[name]), cell: (row) => (winner?.key === row.key && name === metric ? <strong>{figure(row.metrics[name])}</strong> : figure(row.metrics[name])) })),
    ...(rows.every(({ state }) => state === "succeeded") ? [] : [{ key: "state", head: "State", value: (row: Trial) => row.state, cell: (row: Trial) => <Status state={row.state} /> }]),
    { key: "at", head: "Started", num: true, value: (row) => row.created_at, cell: (row) => <Time at={row.created_at} /> },
  ];
  return (
    <>
      <Controls swept={swept} by={by} setBy={setBy} metric={metric} metrics={metrics} setMetric={setMetric} goal={goal} setGoal={setGoal} names={[...params, ...metrics]} shown={shown} setShown={(names) => setShown(names.join(","))} />
      <Table label={by === "variants" ? "variants" : "runs"} rows={rows} columns={columns} rowKey={(row) => row.key} sortParam="sort" selected={winner?.key ?? ""} height="50dvh" />
      <Section title="Parallel coordinates" aside="a line a row; the best one is marked, a click opens its run">
        <Parallel rows={rows} params={params.filter((name) => shown.has(name))} metrics={metrics.filter((name) => shown.has(name))} best={winner?.key} onOpen={(run) => go(to.run(run))} />
      </Section>
      <Curves rows={rows.filter(({ key }) => selected.includes(key))} oneDag={oneDag} />
      {winner && (
        <Section title="Best configuration" aside={`${metric} ${figure(winner.metrics[metric])} in run ${winner.run.slice(-6)}`}>
          <Code text={asYaml(winner.params)} label="best configuration as YAML" />
        </Section>
      )}
    </>
  );
}

function Name({ row, best }: { row: Trial; best: boolean }) {
  return (
    <span className="bar" style={{ gap: 6, flexWrap: "nowrap" }}>
      <Id id={row.run} to={to.run(row.run)} what="run id" /> {best && <span className="chip tone-green">best</span>}
    </span>
  );
}

const plain = (value: unknown): string | number | null => (typeof value === "number" ? value : value === undefined || value === null ? null : oneLine(value));
