// Parallel coordinates: an axis a column, a line a run, the best on top.
import { useMemo, useState } from "react";
import { figure } from "../lib/format";
import type { Row, Trial } from "../lib/experiments";

interface Axis {
  name: string;
  at: (row: Row) => number | undefined;
  top: string;
  bottom: string;
}

/** Numbers by size, other values evenly in order of their names; a column with one value has no axis. */
export function axisOf(rows: Row[], part: "params" | "metrics", name: string): Axis | undefined {
  const values = rows.map((row) => row[part][name]).filter((value) => value !== undefined && value !== null);
  if (values.length > 0 && values.every((value) => typeof value === "number")) {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    if (low === high) return undefined;
    return {
      name,
      top: figure(high),
      bottom: figure(low),
      at: (row) => {
        const value = row[part][name];
        return typeof value === "number" ? (value - low) / (high - low) : undefined;
      },
    };
  }
  const words = [...new Set(values.map((value) => JSON.stringify(value)))].sort();
  if (words.length < 2) return undefined;
  return {
    name,
    top: bare(words.at(-1)),
    bottom: bare(words[0]),
    at: (row) => {
      const index = words.indexOf(JSON.stringify(row[part][name]));
      return index < 0 ? undefined : index / (words.length - 1);
    },
  };
}

/** JSON without the quotes of a text. */
function bare(word = ""): string {
  return word.replace(/^"(.*)"$/, "$1");
}

const WIDTH = 900;
const HEIGHT = 260;
const TOP = 40;
const BOTTOM = 222;
/** More lines than this are a blot. */
const MOST = 500;

export function Parallel({ rows, params, metrics, best, onOpen }: { rows: Trial[]; params: string[]; metrics: string[]; best: string | undefined; onOpen: (run: string) => void }) {
  const [over, setOver] = useState("");
  const axes = useMemo(() => [...params.map((name) => axisOf(rows, "params", name)), ...metrics.map((name) => axisOf(rows, "metrics", name))].filter((axis): axis is Axis => axis !== undefined).slice(0, 10), [rows, params, metrics]);
  if (axes.length < 2) return <p className="soft">Parallel coordinates need two columns that differ among the rows.</p>;
  const x = (index: number) => 70 + (index * (WIDTH - 140)) / (axes.length - 1);
  const y = (at: number) => BOTTOM - at * (BOTTOM - TOP);
  const line = (row: Trial) => {
    let path = "";
    let pen = "M";
    for (const [index, axis] of axes.entries()) {
      const at = axis.at(row);
      if (at === undefined) {
        pen = "M";
        continue;
      }
      path += `${pen}${x(index).toFixed(1)} ${y(at).toFixed(1)}`;
      pen = "L";
    }
    return path;
  };
  const shown = rows.slice(0, MOST);
  const order = [...shown.filter(({ key }) => key !== best && key !== over), ...shown.filter(({ key }) => key === over), ...shown.filter(({ key }) => key === best)];
  return (
    <div style={{ overflowX: "auto" }} tabIndex={0} role="region" aria-label="parallel coordinates">
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} style={{ width: "100%", minWidth: 560, display: "block" }} role="img" aria-label={`${shown.length} rows over ${axes.map(({ name }) => name).join(", ")}`}>
        {order.map((row) => (
          <path
            key={row.key}
            d={line(row)}
            fill="none"
            stroke={row.key === best ? "var(--accent)" : row.key === over ? "var(--fg)" : "var(--line-strong)"}
            strokeWidth={row.key === best || row.key === over ? 2.5 : 1.2}
            opacity={row.key === best || row.key === over ? 1 : 0.55}
            onMouseEnter={() => setOver(row.key)}
            onMouseLeave={() => setOver("")}
            onClick={() => onOpen(row.run)}
            style={{ cursor: "pointer" }}
          >
            <title>{`${row.run.slice(-6)} ${row.variant}`}</title>
          </path>
        ))}
        {axes.map((axis, index) => (
          <g key={axis.name} fill="var(--fg)" fontSize="12" textAnchor="middle">
            <line x1={x(index)} x2={x(index)} y1={TOP} y2={BOTTOM} stroke="var(--fg-soft)" />
            <text x={x(index)} y="16" fontWeight="600">
              {cut(axis.name)}
            </text>
            <text x={x(index)} y="32" fill="var(--fg-soft)">
              {cut(axis.top)}
            </text>
            <text x={x(index)} y="240" fill="var(--fg-soft)">
              {cut(axis.bottom)}
            </text>
          </g>
        ))}
      </svg>
    </div>
  );
}

function cut(text: string): string {
  return text.length > 18 ? `${text.slice(0, 17)}…` : text;
}
