// Runs as rows of a table: which columns there are, which row is best.
import type { Schemas } from "../api/client";

export type Row = Schemas["ExperimentRow"];

/** A row of the table: a run, or one variant of a run's matrix or search. */
export interface Trial extends Row {
  key: string;
  /** Such as `rank=8,seed=1`; empty for a run. */
  variant: string;
}

export const runsOf = (rows: Row[]): Trial[] => rows.map((row) => ({ ...row, key: row.run, variant: "" }));

/** The variant in a task's id and the id without it: `t[rank=16]/train[seed=1]` has `rank=16,seed=1`. */
export function variantIn(task: string): { variant: string; task: string } {
  const found = [...task.matchAll(/\[([^\]]*)\]/g)].map((match) => match[1] ?? "");
  return { variant: found.join(","), task: task.replace(/\[[^\]]*\]/g, "") };
}

/** Each variant as a row of its own, with its values as parameters; a run without variants stays one row. */
export function variantsOf(rows: Row[]): Trial[] {
  return rows.flatMap((row): Trial[] => {
    const shared: Row["metrics"] = {};
    const own = new Map<string, Row["metrics"]>();
    for (const [name, value] of Object.entries(row.metrics)) {
      const { variant, task } = variantIn(name);
      if (variant) own.set(variant, { ...own.get(variant), [task]: value });
      else shared[name] = value;
    }
    if (own.size === 0) return runsOf([row]);
    return [...own].map(([variant, metrics]) => ({ ...row, key: `${row.run} ${variant}`, variant, params: { ...row.params, ...valuesIn(variant) }, metrics: { ...shared, ...metrics } }));
  });
}

function valuesIn(variant: string): Record<string, unknown> {
  const pairs = variant.split(/,(?=[\w.-]+=)/).map((pair) => (pair.includes("=") ? [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)] : ["item", pair]));
  return Object.fromEntries(pairs.map(([name, text = ""]) => [name, text !== "" && Number.isFinite(Number(text)) ? Number(text) : text === "true" ? true : text === "false" ? false : text]));
}

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

export function best<T extends Row>(rows: T[], metric: string, goal: string): T | undefined {
  const way = goal === "minimize" ? 1 : -1;
  const known = rows.filter((row) => typeof row.metrics[metric] === "number");
  return known.reduce<T | undefined>((found, row) => (found === undefined || way * ((row.metrics[metric] as number) - (found.metrics[metric] as number)) < 0 ? row : found), undefined);
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
