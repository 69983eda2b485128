// What each state is drawn with, in a square of 16: the same in the page and on a canvas.

export interface Stroke {
  d: string;
  /** 2 unless given. */
  width?: number;
  dash?: [number, number];
  opacity?: number;
  join?: "round";
  /** Turns, where motion is welcome. */
  turns?: boolean;
}

const RING = "M13.500 8a5.500 5.500 0 1 1-11 0a5.500 5.500 0 1 1 11 0";

export const SHAPES: Record<string, Stroke[]> = {
  succeeded: [{ d: "M3 8.500 6.500 12 13 4.500" }],
  cached: [{ d: "M1.500 8.500 4.800 12 10.500 5M7.500 11.500l.6.500L14.500 5" }],
  running: [
    { d: RING, opacity: 0.3 },
    { d: "M8 2.500A5.500 5.500 0 0 1 13.500 8", turns: true },
  ],
  queued: [{ d: RING }],
  pending: [{ d: RING, dash: [1.6, 2.7] }],
  waiting: [
    {
      width: 1.5,
      d: "M5 9V3.800a1 1 0 0 1 2 0V7.500m0-.4V2.600a1 1 0 0 1 2 0v4.700m0-.2V3.500a1 1 0 0 1 2 0v5m0-2.300a1 1 0 0 1 2 0V10c0 2.600-1.700 4.500-4.200 4.500-2.100 0-3-.9-4-2.500L3 8.900c-.6-1 .8-1.900 1.500-1L5 9",
    },
  ],
  failed: [{ width: 2.4, d: "m3.500 3.500 9 9m0-9-9 9" }],
  upstream_failed: [{ width: 1.3, join: "round", d: "M5 2.300 8 5.300l3-3L13.700 5l-3 3 3 3-2.700 2.700-3-3-3 3L2.300 11l3-3-3-3z" }],
  skipped: [{ d: "M3 8h10" }],
  late: [{ d: RING }, { d: "M8 4.800V8l2.200 1.500" }],
  cancelled: [{ d: RING }, { d: "m4.200 11.800 7.600-7.600" }],
};

export function shapeOf(state: string): Stroke[] {
  return SHAPES[state] ?? SHAPES.pending ?? [];
}
