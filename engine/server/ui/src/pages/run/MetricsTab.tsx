import { useMemo } from "react";
import { Link } from "wouter";
import { api } from "../../api/client";
import { to, useParam } from "../../lib/address";
import { curve, smooth, type Curve } from "../../lib/curves";
import { figure } from "../../lib/format";
import { CurveControls, useCurveControls } from "../../parts/CurveControls";
import { Section } from "../../ui/Bits";
import { Filter } from "../../ui/Filter";
import { Empty, Loaded } from "../../ui/Notes";
import { Table } from "../../ui/Table";
import type { RunDetail } from "../Run";
import { later } from "../../ui/later";

const Chart = later(() => import("../../parts/Chart"));

export default function MetricsTab({ run }: { run: RunDetail }) {
  const metrics = api.useQuery("get", "/api/v1/runs/{run}/metrics", { params: { path: { run: run.id } } });
  const controls = useCurveControls();
  const [q, setQ] = useParam("q");
  const charts = useMemo(() => {
    const found = new Map<string, Curve[]>();
    for (const series of metrics.data?.series ?? []) {
      const one = curve(series, series.task, controls.byTime);
      if (one.points.length > 1) found.set(series.name, [...(found.get(series.name) ?? []), { ...one, points: smooth(one.points, controls.weight) }]);
    }
    return [...found];
  }, [metrics.data, controls.byTime, controls.weight]);
  return (
    <Loaded of={metrics} rows={6}>
      {({ figures }) => {
        const rows = Object.entries(figures).flatMap(([task, values]) => Object.entries(values as Record<string, unknown>).map(([name, value]) => ({ task, name, value })));
        if (rows.length === 0 && charts.length === 0) {
          return (
            <Empty title="No metric yet">
              <p>Tasks report figures and curves as they work: training its loss, evaluation its verdicts.</p>
            </Empty>
          );
        }
        return (
          <>
            {charts.length > 0 && (
              <Section title="Curves">
                <CurveControls {...controls} />
                <div className="charts">
                  {charts.map(([name, curves]) => (
                    <Chart key={name} title={name} curves={curves} log={controls.log} byTime={controls.byTime} />
                  ))}
                </div>
              </Section>
            )}
            {rows.length > 0 && (
              <Section title="Figures">
                <div className="bar">
                  <Filter label="search figures" value={q} onChange={setQ} />
                </div>
                <Table
                  label="figures"
                  rows={rows.filter(({ task, name }) => `${task} ${name}`.includes(q))}
                  rowKey={({ task, name }) => `${task} ${name}`}
                  sortParam="sort"
                  columns={[
                    { key: "task", head: "Task", value: (row) => row.task, cell: (row) => <Link href={to.run(run.id, "tasks", row.task)}>{row.task}</Link> },
                    { key: "name", head: "Figure", value: (row) => row.name, cell: (row) => <code>{row.name}</code> },
                    { key: "value", head: "Value", num: true, value: (row) => (typeof row.value === "number" ? row.value : String(row.value)), cell: (row) => <span className="clip">{figure(row.value)}</span> },
                  ]}
                />
              </Section>
            )}
          </>
        );
      }}
    </Loaded>
  );
}
