import type { ViewEdge } from "./fold";

/** Edges without those that only say what a longer way says too; an edge that carries something always stays. */
export function reduce(edges: ViewEdge[]): ViewEdge[] {
  const numbers = new Map<string, number>();
  const number = (id: string) => {
    const known = numbers.get(id) ?? numbers.size;
    numbers.set(id, known);
    return known;
  };
  const ends = edges.map(({ from, to }) => [number(from), number(to)] as const);
  const after: number[][] = Array.from({ length: numbers.size }, () => []);
  for (const [from, to] of ends) after[from]?.push(to);
  // What can be reached from a node, a bit each: sets would hold the square of the picture.
  const words = Math.ceil(numbers.size / 32);
  const known: (Uint32Array | undefined)[] = [];
  const beyond = (node: number, open: Set<number>): Uint32Array => {
    const done = known[node];
    // Folded groups may stand in a circle.
    if (done || open.has(node)) return done ?? new Uint32Array(words);
    open.add(node);
    const found = new Uint32Array(words);
    for (const next of after[node] ?? []) {
      found[next >> 5]! |= 1 << (next & 31);
      const further = beyond(next, open);
      for (let word = 0; word < words; word++) found[word]! |= further[word]!;
    }
    open.delete(node);
    known[node] = found;
    return found;
  };
  const has = (found: Uint32Array, node: number) => ((found[node >> 5] ?? 0) & (1 << (node & 31))) !== 0;
  return edges.filter(({ label }, index) => {
    const [from, to] = ends[index] ?? [0, 0];
    return label !== "" || !(after[from] ?? []).some((next) => next !== to && has(beyond(next, new Set([from])), to));
  });
}
