// Curves on a canvas, with their figures in a table for those who cannot see it.
import { useEffect, useMemo, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { useTheme } from "../app/theme";
import { figure } from "../lib/format";
import { align, type Curve } from "../lib/curves";

// Told apart by colour and by dashes; from Okabe and Ito's palette, darkened or lightened to keep 3:1.
const LIGHT = ["#0066a1", "#b34700", "#007a5a", "#9b3d7c", "#6b5b00", "#2b2b33"];
const DARK = ["#63b8f0", "#f0965c", "#4ccfa6", "#e39bc8", "#e6cf4f", "#c9c9d2"];
const DASHES = [[], [8, 4], [2, 3]];

export function colourOf(index: number, dark: boolean): string {
  return (dark ? DARK : LIGHT)[index % LIGHT.length] ?? "#888";
}

interface Props {
  title: string;
  curves: Curve[];
  log?: boolean;
  byTime?: boolean;
  height?: number;
}

export default function Chart({ title, curves, log, byTime, height = 240 }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const dark = useTheme() === "dark";
  const data = useMemo(() => align(curves), [curves]);
  useEffect(() => {
    const box = host.current;
    if (!box) return;
    const style = getComputedStyle(document.documentElement);
    const axis = { stroke: style.getPropertyValue("--fg-soft"), grid: { stroke: style.getPropertyValue("--line"), width: 1 }, ticks: { stroke: style.getPropertyValue("--line"), width: 1 }, font: `11px ${style.getPropertyValue("--font")}` };
    const plot = new uPlot(
      {
        width: box.clientWidth || 400,
        height,
        legend: { live: true },
        cursor: { focus: { prox: 20 } },
        focus: { alpha: 0.35 },
        scales: { x: { time: false }, y: { distr: log ? 3 : 1 } },
        axes: [{ ...axis, values: (_, ticks) => ticks.map((tick) => (byTime ? `${figure(tick)} s` : figure(tick))) }, { ...axis, size: 62, values: (_, ticks) => ticks.map((tick) => (tick === null ? "" : figure(tick))) }],
        series: [
          { label: byTime ? "seconds" : "step" },
          ...curves.map((curve, index) => ({
            label: curve.label,
            stroke: colourOf(index, dark),
            dash: DASHES[Math.floor(index / LIGHT.length) % DASHES.length] ?? [],
            width: 1.6,
            spanGaps: true,
            points: { show: curve.points.length < 40, size: 5 },
            value: (_: uPlot, value: number | null) => (value === null ? "–" : figure(value)),
          })),
        ],
      },
      data as uPlot.AlignedData,
      box,
    );
    const observer = new ResizeObserver(() => plot.setSize({ width: box.clientWidth, height }));
    observer.observe(box);
    return () => {
      observer.disconnect();
      plot.destroy();
    };
  }, [data, curves, dark, log, byTime, height]);
  return (
    <figure className="chart">
      <figcaption className="mono">{title}</figcaption>
      <div ref={host} aria-hidden="true" />
      <table className="visually-hidden">
        <caption>{title}: first, last, smallest, largest</caption>
        <tbody>
          {curves.map((curve) => {
            const values = curve.points.map(({ y }) => y);
            return (
              <tr key={curve.label}>
                <th scope="row">{curve.label}</th>
                <td>{figure(values[0])}</td>
                <td>{figure(values.at(-1))}</td>
                <td>{figure(Math.min(...values))}</td>
                <td>{figure(Math.max(...values))}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </figure>
  );
}
