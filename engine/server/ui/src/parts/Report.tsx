// An evaluation report: figures with their intervals drawn, and the gate's verdict on each.
import { figure } from "../lib/format";
import { Status, Verdict } from "../ui/Status";
import { Table } from "../ui/Table";

export interface Figure {
  metric: string;
  subject: string;
  value: number | null;
  low: number | null;
  high: number | null;
  threshold: number | null;
  passed: boolean | null;
}

/** Rows of a report, as the evidence of an approval holds them. */
export function figuresOf(rows: unknown): Figure[] {
  const number = (value: unknown) => (typeof value === "number" ? value : null);
  if (!Array.isArray(rows)) return [];
  return rows
    .filter((row): row is Record<string, unknown> => typeof row === "object" && row !== null && "metric" in row)
    .map((row) => ({
      metric: String(row.metric),
      subject: typeof row.subject === "string" ? row.subject : "",
      value: number(row.value),
      low: number(row.low),
      high: number(row.high),
      threshold: number(row.threshold),
      passed: typeof row.passed === "boolean" ? row.passed : null,
    }));
}

/** What the gate judged comes first, and of that what did not pass. */
export function byWeight(rows: Figure[]): Figure[] {
  const weight = (row: Figure) => (row.passed === false ? 0 : row.passed ? 1 : 2);
  return [...rows].sort((a, b) => weight(a) - weight(b));
}

export function Report({ rows }: { rows: Figure[] }) {
  return (
    <Table
      label="report"
      rows={byWeight(rows)}
      rowKey={(row) => `${row.metric} ${row.subject}`}
      columns={[
        { key: "passed", head: "Verdict", width: 120, cell: (row) => (row.passed === null ? <Status state="skipped" word="no gate" /> : <Verdict good={row.passed} />) },
        { key: "metric", head: "Figure", cell: (row) => <code>{row.metric}</code> },
        { key: "subject", head: "Of", cell: (row) => row.subject },
        { key: "value", head: "Value", num: true, cell: (row) => figure(row.value) },
        { key: "interval", head: "Interval", cell: (row) => <Interval row={row} /> },
        { key: "threshold", head: "Threshold", num: true, cell: (row) => figure(row.threshold) },
      ]}
    />
  );
}

/** The value with its confidence interval, and the threshold as a line. */
function Interval({ row }: { row: Figure }) {
  const { value, low, high, threshold } = row;
  if (value === null) return null;
  const points = [value, low, high, threshold].filter((one): one is number => one !== null);
  const [min, max] = [Math.min(...points), Math.max(...points)];
  if (max === min) return null;
  const pad = (max - min) * 0.12;
  const x = (at: number) => 4 + ((at - min + pad) / (max - min + 2 * pad)) * 172;
  return (
    <span className="bar" style={{ gap: 8, flexWrap: "nowrap" }}>
      <svg width="180" height="18" role="img" aria-label={`${low === null ? "" : `from ${figure(low)} to ${figure(high)}`}${threshold === null ? "" : `, threshold ${figure(threshold)}`}`} style={{ flex: "none" }}>
        {threshold !== null && <line x1={x(threshold)} x2={x(threshold)} y1="1" y2="17" stroke="var(--fg)" strokeDasharray="3 2" />}
        {low !== null && high !== null && <line x1={x(low)} x2={x(high)} y1="9" y2="9" stroke="var(--line-strong)" strokeWidth="5" strokeLinecap="round" />}
        <circle cx={x(value)} cy="9" r="4" fill={row.passed === false ? "var(--red)" : row.passed ? "var(--green)" : "var(--accent)"} />
      </svg>
      {low !== null && (
        <span className="small soft nowrap">
          {figure(low)} to {figure(high)}
        </span>
      )}
    </span>
  );
}

/** Figures of two versions side by side. */
export function Pairs({ rows, a, b, head = "Figure" }: { head?: string; rows: { name: string; a?: unknown; b?: unknown; difference?: number | null }[]; a: string; b: string }) {
  return (
    <Table
      label={`${head.toLowerCase()} of ${a} and ${b}`}
      rows={rows}
      rowKey={(row) => row.name}
      columns={[
        { key: "name", head, cell: (row) => <code>{row.name}</code> },
        { key: "a", head: a, num: true, cell: (row) => <span className="clip">{figure(row.a)}</span> },
        { key: "b", head: b, num: true, cell: (row) => <span className="clip">{figure(row.b)}</span> },
        { key: "d", head: "Difference", num: true, cell: (row) => (typeof row.difference === "number" ? `${row.difference > 0 ? "+" : row.difference < 0 ? "−" : ""}${figure(Math.abs(row.difference))}` : JSON.stringify(row.a) === JSON.stringify(row.b) ? <span className="soft">same</span> : <span className="tilde">differs</span>) },
      ]}
    />
  );
}
