// Arrow keys in a graph: left to what a node is made of, right to what is made of it, up and down within its layer.
import type { View } from "./fold";
import type { Layout } from "./boxes";

export function step(key: string, at: string, view: View, layout: Layout): string | undefined {
  if (!["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"].includes(key)) return undefined;
  const here = layout[at];
  if (!here) return [...view.nodes].sort((a, b) => (layout[a.id]?.x ?? 0) - (layout[b.id]?.x ?? 0) || (layout[a.id]?.y ?? 0) - (layout[b.id]?.y ?? 0))[0]?.id;
  const y = (id: string) => layout[id]?.y ?? 0;
  const near = (ids: string[]) => ids.sort((a, b) => Math.abs(y(a) - here.y) - Math.abs(y(b) - here.y))[0];
  if (key === "ArrowLeft") return near(view.edges.filter(({ to }) => to === at).map(({ from }) => from));
  if (key === "ArrowRight") return near(view.edges.filter(({ from }) => from === at).map(({ to }) => to));
  const way = key === "ArrowDown" ? 1 : -1;
  const layer = view.nodes.map(({ id }) => id).filter((id) => Math.abs((layout[id]?.x ?? 0) - here.x) < here.width / 2 && way * (y(id) - here.y) > 1);
  return near(layer);
}
