import { useMemo } from "react";
import { api } from "../../api/client";
import { curve, smooth, type Curve } from "../../lib/curves";
import { variantIn, type Trial } from "../../lib/experiments";
import { CurveControls, useCurveControls } from "../../parts/CurveControls";
import { Section } from "../../ui/Bits";
import { Loaded } from "../../ui/Notes";
import { later } from "../../ui/later";

const Chart = later(() => import("../../parts/Chart"));

/** Curves are overlaid for so many rows at most. */
export const MOST_CURVES = 8;

/** The curves of the rows that are ticked, one chart a metric. */
export function Curves({ rows, oneDag }: { rows: Trial[]; oneDag: boolean }) {
  const controls = useCurveControls();
  const runs = [...new Set(rows.map(({ run }) => run))];
  const curves = api.useQuery("get", "/api/v1/experiments/curves", { params: { query: { run: runs } } }, { enabled: runs.length > 0 });
  const charts = useMemo(() => {
    const found = new Map<string, Curve[]>();
    const series = (curves.data?.series ?? []).map((one) => ({ ...one, ...variantIn(one.task), id: one.task }));
    for (const row of rows) {
      const own = series.filter(({ run, variant }) => run === row.run && (row.variant === "" || variant === row.variant));
      for (const one of own) {
        const many = own.filter(({ name }) => name === one.name).length > 1;
        const label = [oneDag ? "" : row.dag, row.run.slice(-6), row.variant.replaceAll(",", " "), many ? one.id : ""].filter(Boolean).join(" ");
        const drawn = curve(one, label, controls.byTime);
        if (drawn.points.length > 1) found.set(one.name, [...(found.get(one.name) ?? []), { ...drawn, points: smooth(drawn.points, controls.weight) }]);
      }
    }
    return [...found];
  }, [curves.data, rows, oneDag, controls.byTime, controls.weight]);
  if (rows.length === 0) return <p className="soft">Tick rows in the table to see their curves.</p>;
  return (
    <Section title="Curves" aside={`of the rows that are ticked, ${MOST_CURVES} at most`}>
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
            <p className="soft">These rows have no curve.</p>
          )
        }
      </Loaded>
    </Section>
  );
}
