import type { ViewEdge } from "./fold";

/** Edges without those that only say what a longer way says too; an edge that carries something always stays. */
export function reduce(edges: ViewEdge[]): ViewEdge[] {
  const after = new Map<string, string[]>();
  for (const { from, to } of edges) after.set(from, [...(after.get(from) ?? []), to]);
  const known = new Map<string, Set<string>>();
  const beyond = (node: string, open: Set<string>): Set<string> => {
    const done = known.get(node);
    // Folded groups may stand in a circle.
    if (done || open.has(node)) return done ?? new Set();
    open.add(node);
    const found = new Set<string>();
    for (const next of after.get(node) ?? []) {
      found.add(next);
      for (const one of beyond(next, open)) found.add(one);
    }
    open.delete(node);
    known.set(node, found);
    return found;
  };
  return edges.filter(({ from, to, label }) => label !== "" || !(after.get(from) ?? []).some((next) => next !== to && beyond(next, new Set([from])).has(to)));
}
