import { useEffect, useMemo, useState } from "react";
import type { View } from "./fold";
import type { Layout, Question } from "./layout";

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

/** The layout of a view. It is made anew when its shape changes, not when states do. */
export function useLayout(view: View): Layout | undefined {
  const shape = useMemo(
    () => JSON.stringify([view.nodes.map(({ id, parent }) => [id, parent]), view.edges.map(({ id }) => id), view.groups.map(({ id, parent }) => [id, parent])]),
    [view],
  );
  const [done, setDone] = useState<{ shape: string; layout: Layout }>();
  useEffect(() => {
    let current = true;
    void ask(view).then((layout) => current && setDone({ shape, layout }));
    return () => {
      current = false;
    };
    // The view itself changes with every state.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [shape]);
  return done?.layout;
}
