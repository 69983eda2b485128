import { useEffect, useMemo, useState } from "react";
import type { View } from "./fold";
import { layers } from "./layers";
import { QUICK_FROM, type Layout } from "./boxes";
import type { Question } from "./layout";

let worker: Worker | undefined;
let asked = 0;
const waiting = new Map<number, (layout: Layout) => void>();

function ask(view: View): Promise<Layout> {
  worker ??= new Worker(new URL("./layout.worker.ts", import.meta.url), { type: "module" });
  worker.onmessage = ({ data }: MessageEvent<{ id: number; layout: Layout }>) => {
    waiting.get(data.id)?.(data.layout);
    waiting.delete(data.id);
  };
  const id = ++asked;
  return new Promise((resolve) => {
    waiting.set(id, resolve);
    worker?.postMessage({ id, view } satisfies Question);
  });
}

/** Layouts of the pictures looked at last: a graph that one comes back to stands at once. */
const KEPT = 8;
const kept = new Map<string, Layout>();

function keep(shape: string, layout: Layout) {
  kept.delete(shape);
  kept.set(shape, layout);
  const [oldest] = kept.keys();
  if (kept.size > KEPT && oldest !== undefined) kept.delete(oldest);
}

/** The layout of a view. It is made anew when its shape changes, not when states do. */
export function useLayout(view: View): Layout | undefined {
  const shape = useMemo(
    () => JSON.stringify([view.nodes.map(({ id, parent }) => [id, parent]), view.edges.map(({ id }) => id), view.groups.map(({ id, parent }) => [id, parent])]),
    [view],
  );
  // Large pictures are quick: they stand in the first frame.
  const quick = useMemo(() => {
    if (view.nodes.length < QUICK_FROM) return undefined;
    const known = kept.get(shape) ?? layers(view);
    keep(shape, known);
    return known;
    // The view itself changes with every state.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [shape]);
  const [done, setDone] = useState<Layout | undefined>(() => kept.get(shape));
  useEffect(() => {
    if (quick) return;
    let current = true;
    const known = kept.get(shape);
    if (known) setDone(known);
    else
      void ask(view).then((layout) => {
        keep(shape, layout);
        if (current) setDone(layout);
      });
    return () => {
      current = false;
    };
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [shape, quick]);
  return quick ?? done;
}
