// Left to right, in layers, by dagre. Runs in a worker: a hundred tasks take longer than a frame.
import dagre from "@dagrejs/dagre";
import { LABELS_UNTIL, NODE, type Box, type Layout } from "./boxes";
import type { View } from "./fold";

export interface Question {
  id: number;
  view: View;
}

/** Top-left corners, in the picture's own coordinates. */
export function layout({ nodes, edges, groups }: View): Layout {
  const graph = new dagre.graphlib.Graph({ compound: true });
  graph.setGraph({ rankdir: "LR", nodesep: 14, ranksep: 36, marginx: 16, marginy: 16, ranker: "network-simplex" });
  graph.setDefaultEdgeLabel(() => ({}));
  const known = new Set(groups.map(({ id }) => id));
  for (const group of groups) graph.setNode(group.id, {});
  for (const group of groups) if (group.parent && known.has(group.parent)) graph.setParent(group.id, group.parent);
  for (const node of nodes) {
    graph.setNode(node.id, { ...NODE });
    if (node.parent && known.has(node.parent)) graph.setParent(node.id, node.parent);
  }
  // Labels get room between the layers, where the picture is small enough to show them.
  const room = edges.length <= LABELS_UNTIL;
  for (const edge of edges) graph.setEdge(edge.from, edge.to, room && edge.label ? { width: Math.min(150, (edge.label.split(", ")[0]?.length ?? 0) * 6.2 + 22), height: 14, labelpos: "c" } : {});
  dagre.layout(graph);
  const found: Layout = {};
  for (const id of graph.nodes()) {
    const { x, y, width, height } = graph.node(id) as Box;
    if (Number.isFinite(x)) found[id] = { x: x - width / 2, y: y - height / 2, width, height };
  }
  return found;
}
