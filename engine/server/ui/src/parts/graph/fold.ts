// A picture of tasks with some groups folded: what is inside a folded group becomes the group, and its edges the group's.
import type { Schemas } from "../../api/client";
import { reduce } from "./reduce";

export type Picture = Schemas["GraphPicture"];

export interface ViewNode {
  id: string;
  label: string;
  kind: "task" | "dataset" | "model" | "group";
  detail: string;
  state?: string | undefined;
  parent?: string | undefined;
  /** How many tasks a folded group holds. */
  holds?: number;
}

export interface ViewEdge {
  id: string;
  from: string;
  to: string;
  label: string;
}

export interface ViewGroup {
  id: string;
  label: string;
  parent?: string | undefined;
}

export interface View {
  nodes: ViewNode[];
  edges: ViewEdge[];
  groups: ViewGroup[];
}

// What a group shows when its tasks differ: what needs a person first, then what goes on, then what is done.
const WEIGHT = ["failed", "upstream_failed", "waiting", "running", "queued", "pending", "cancelled", "succeeded", "cached", "skipped"];

export function worst(states: (string | null | undefined)[]): string | undefined {
  const known = states.filter((state): state is string => Boolean(state));
  return WEIGHT.find((state) => known.includes(state));
}

export function fold(picture: Picture, folded: ReadonlySet<string>): View {
  const parents = new Map(picture.groups.map((group) => [group.id, group.parent ?? undefined]));
  const chain = (group: string | null | undefined): string[] => {
    const found: string[] = [];
    for (let at = group ?? undefined; at && !found.includes(at); at = parents.get(at)) found.unshift(at);
    return found;
  };
  const hidden = (group: string | null | undefined) => chain(group).find((one) => folded.has(one));
  const stands = new Map(picture.nodes.map((node) => [node.id, hidden(node.group) ?? node.id]));

  const nodes: ViewNode[] = picture.nodes
    .filter((node) => stands.get(node.id) === node.id)
    .map((node) => ({ id: node.id, label: node.label, kind: node.kind, detail: node.operator ?? node.kind, state: node.state ?? undefined, parent: node.group ?? undefined }));
  const visible = new Set<string>();
  for (const group of picture.groups) {
    const around = chain(group.parent).some((one) => folded.has(one));
    if (around) continue;
    if (!folded.has(group.id)) {
      visible.add(group.id);
      continue;
    }
    const inside = picture.nodes.filter((node) => stands.get(node.id) === group.id);
    nodes.push({
      id: group.id,
      label: group.label,
      kind: "group",
      detail: `${inside.length} tasks`,
      holds: inside.length,
      state: worst(inside.map((node) => node.state)),
      parent: group.parent ?? undefined,
    });
  }

  const edges = new Map<string, ViewEdge>();
  for (const edge of picture.edges) {
    const [from, to] = [stands.get(edge.from), stands.get(edge.to)];
    if (!from || !to || from === to) continue;
    const id = `${from}→${to}`;
    const label = edgeLabel(edge);
    const known = edges.get(id);
    if (!known) edges.set(id, { id, from, to, label });
    else if (label && !known.label.split(", ").includes(label)) known.label = known.label ? `${known.label}, ${label}` : label;
  }
  return {
    nodes,
    edges: reduce([...edges.values()]),
    groups: picture.groups.filter((group) => visible.has(group.id)).map(({ id, label, parent }) => ({ id, label, parent: parent ?? undefined })),
  };
}

function edgeLabel(edge: Schemas["GraphEdge"]): string {
  // A node for a dataset or model that comes from outside says itself which it is.
  if (/^(dataset|model):/.test(edge.from)) return edge.port ?? "";
  const name = edge.artifact ?? edge.port ?? "";
  return edge.rows === null || edge.rows === undefined ? name : `${name} · ${edge.rows} rows`;
}
