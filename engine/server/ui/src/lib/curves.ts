// Curves over steps or seconds, smoothed, and put on one abscissa.
import type { Schemas } from "../api/client";

export interface Curve {
  label: string;
  points: { x: number; y: number }[];
}

/** A series as a curve; points without a value are left out. By time it starts at 0 s. */
export function curve(series: Schemas["Series"], label: string, byTime: boolean): Curve {
  const first = series.points[0] ? Date.parse(series.points[0].at) : 0;
  const points = series.points.flatMap((point, index) => (typeof point.value === "number" ? [{ x: byTime ? (Date.parse(point.at) - first) / 1000 : (point.step ?? index), y: point.value }] : []));
  return { label, points: points.sort((a, b) => a.x - b.x) };
}

/** Exponential moving average, corrected for its start; 0 leaves the curve as it is. */
export function smooth(points: Curve["points"], weight: number): Curve["points"] {
  if (weight <= 0) return points;
  let sum = 0;
  let total = 0;
  return points.map(({ x, y }) => {
    sum = sum * weight + y * (1 - weight);
    total = total * weight + (1 - weight);
    return { x, y: sum / total };
  });
}

/** All curves over the union of their abscissas, with gaps where one has no value. */
export function align(curves: Curve[]): (number | null)[][] {
  const xs = [...new Set(curves.flatMap(({ points }) => points.map(({ x }) => x)))].sort((a, b) => a - b);
  return [xs, ...curves.map(({ points }) => {
    const known = new Map(points.map(({ x, y }) => [x, y]));
    return xs.map((x) => known.get(x) ?? null);
  })];
}
