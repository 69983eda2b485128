// Runs as rows of a table: which columns there are, which row is best.
import type { Schemas } from "../api/client";

export type Row = Schemas["ExperimentRow"];

/** Columns that differ among the rows come first: those are what one experiments with. */
export function columnsOf(rows: Row[], part: "params" | "metrics"): string[] {
  const values = new Map<string, Set<string>>();
  for (const row of rows) for (const [key, value] of Object.entries(row[part])) values.set(key, (values.get(key) ?? new Set()).add(JSON.stringify(value)));
  return [...values].sort((a, b) => Number(b[1].size > 1) - Number(a[1].size > 1) || a[0].localeCompare(b[0])).map(([key]) => key);
}

/** Metrics of which one has a number in some row. */
export function numeric(rows: Row[], names: string[]): string[] {
  return names.filter((name) => rows.some((row) => typeof row.metrics[name] === "number"));
}

/** Whether less is better, by the words in a metric's name. */
export function lessIsBetter(metric: string): boolean {
  return /loss|error|perplexity|ppl|distance|memori|leak|latency|_ms|seconds|bytes|regress/i.test(metric);
}

export function best(rows: Row[], metric: string, goal: string): Row | undefined {
  const way = goal === "minimize" ? 1 : -1;
  const known = rows.filter((row) => typeof row.metrics[metric] === "number");
  return known.reduce<Row | undefined>((found, row) => (found === undefined || way * ((row.metrics[metric] as number) - (found.metrics[metric] as number)) < 0 ? row : found), undefined);
}

/** The parameters of a run as YAML, to be pasted below a DAG's `params:` as defaults or into `with:`. */
export function asYaml(params: Record<string, unknown>): string {
  const lines = Object.entries(params).map(([key, value]) => `${key}: ${scalar(value)}`);
  return lines.length > 0 ? `${lines.join("\n")}\n` : "{}\n";
}

function scalar(value: unknown): string {
  if (typeof value === "string") return /^[A-Za-z_][\w ./-]*$/.test(value) && !/^(true|false|null|yes|no|on|off|y|n)$/i.test(value) ? value : JSON.stringify(value);
  return JSON.stringify(value);
}
