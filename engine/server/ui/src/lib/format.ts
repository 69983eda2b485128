// Figures and times as people read them.

const UNITS: [number, string][] = [
  [86_400, "d"],
  [3_600, "h"],
  [60, "m"],
  [1, "s"],
];

/** A duration as `1 m 23 s`; the two largest units, milliseconds below a second. */
export function duration(ms: number): string {
  if (!Number.isFinite(ms) || ms < 0) return "–";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`;
  let rest = Math.round(ms / 1000);
  const parts: string[] = [];
  for (const [size, unit] of UNITS) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0 || parts.length > 0) parts.push(`${count} ${unit}`);
    if (parts.length === 2) break;
  }
  return parts.filter((part) => !part.startsWith("0 ")).join(" ") || "0 s";
}

/** How far a moment is from now: `3 m ago`, `in 2 h`. */
export function ago(at: number, now: number): string {
  const ms = now - at;
  const size = Math.abs(ms);
  if (size < 2_000) return "now";
  const [unit, word] = UNITS.map(([seconds, word]) => [seconds * 1000, word] as const).find(([ms]) => size >= ms) ?? [1000, "s"];
  const text = `${Math.floor(size / unit)} ${word}`;
  return ms >= 0 ? `${text} ago` : `in ${text}`;
}

// Made once: making one takes longer than a table's worth of formatting.
const MOMENT = new Intl.DateTimeFormat(undefined, {
  year: "numeric",
  month: "short",
  day: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  timeZoneName: "short",
});

/** The moment in the viewer's zone, to the second, with the zone's name. */
export function moment(at: string | number): string {
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? String(at) : MOMENT.format(date);
}

export function bytes(count: number): string {
  if (count < 1000) return `${count} B`;
  let value = count;
  for (const unit of ["kB", "MB", "GB", "TB"]) {
    value /= 1000;
    if (value < 999.5) return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${unit}`;
  }
  return `${Math.round(value)} TB`;
}

/** A count with thousands separated by thin spaces. */
export function count(value: number): string {
  return Math.round(value).toString().replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

/** A figure of any size in at most six characters of digits. */
export function figure(value: unknown): string {
  if (typeof value !== "number") return value === null || value === undefined ? "–" : typeof value === "object" ? JSON.stringify(value) : String(value);
  if (!Number.isFinite(value)) return String(value);
  if (Number.isInteger(value) && Math.abs(value) < 1e9) return Math.abs(value) < 10_000 ? String(value) : count(value);
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-3) return value.toExponential(2);
  return String(Number(value.toPrecision(size >= 100 ? 5 : 4)));
}

/** The end of an id that sorts by time: its beginning is the same for all runs of a day. */
export function shortId(id: string): string {
  return id.length > 10 ? id.slice(-6) : id;
}

export function plural(n: number, word: string, many = `${word}s`): string {
  return `${count(n)} ${n === 1 ? word : many}`;
}

/** `min_changed_rows` as `min changed rows`. */
export function words(key: string): string {
  return key.replaceAll("_", " ");
}

/** A value as one line: text as it is, the rest as JSON. */
export function oneLine(value: unknown): string {
  if (value === null || value === undefined) return "–";
  return typeof value === "string" ? value : JSON.stringify(value);
}
