import { lazy, useEffect, useState, type ComponentType, type ReactNode } from "react";

/** A component that is loaded when it is first shown, or ahead of that by `preload`. */
export interface Later<P> {
  (props: P): ReactNode;
  preload: () => Promise<unknown>;
}

/** Like React's `lazy`, but what is loaded already is shown at once: React holds back what it once had to wait for. */
export function later<P extends object>(load: () => Promise<{ default: ComponentType<P> }>): Later<P> {
  let known: ComponentType<P> | undefined;
  const start = () =>
    load().then((module) => {
      known = module.default;
      return module;
    });
  const Lazy = lazy(start) as unknown as ComponentType<P>;
  const Part = (props: P) => {
    const [Inner] = useState<ComponentType<P>>(() => known ?? Lazy);
    return <Inner {...props} />;
  };
  return Object.assign(Part, { preload: start });
}

/** Loads what will probably be wanted next, once the page has nothing else to do. */
export function preloadIdle(parts: { preload: () => Promise<unknown> }[]) {
  const load = () => parts.forEach((part) => void part.preload().catch(() => undefined));
  if ("requestIdleCallback" in window) requestIdleCallback(load, { timeout: 3000 });
  else setTimeout(load, 500);
}

/** Loads the parts of a page that is open, so that none of its tabs has to be waited for. */
export function usePreloaded(parts: Record<string, { preload: () => Promise<unknown> }>) {
  useEffect(() => preloadIdle(Object.values(parts)), [parts]);
}
