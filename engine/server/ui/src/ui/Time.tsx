import { useSyncExternalStore } from "react";
import { ago, duration, moment } from "../lib/format";

// One clock for the page: all relative times tick together.
let now = Date.now();
const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= setInterval(() => {
    now = Date.now();
    for (const one of listeners) one();
  }, 1000);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}

/** The time, to the second. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => now);
}

/** Relative, with the absolute on hover. */
export function Time({ at, none = "–" }: { at: string | null | undefined; none?: string }) {
  const current = useNow();
  if (!at) return <span className="soft">{none}</span>;
  return (
    <time dateTime={at} title={moment(at)} className="nowrap">
      {ago(Date.parse(at), current)}
    </time>
  );
}

/** From start to end, or to now while it lasts. */
export function Took({ from, to }: { from: string | null | undefined; to: string | null | undefined }) {
  const current = useNow();
  if (!from) return <span className="soft">–</span>;
  const ms = (to ? Date.parse(to) : current) - Date.parse(from);
  return <span className="nowrap">{duration(Math.max(0, ms))}</span>;
}
