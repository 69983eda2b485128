import { describe, expect, test } from "vitest";
import { fold, worst, type Picture } from "./fold";
import type { Box } from "./boxes";
import { layers } from "./layers";
import { layout } from "./layout";
import { step } from "./move";
import { reduce } from "./reduce";

function node(id: string, group: string | null, state: string | null = null) {
  return { id, kind: "task", label: id, step: id, operator: "x", group, state, publishes: [] };
}
const picture = {
  nodes: [node("a", null), node("b", "g", "succeeded"), node("c", "g/h", "failed"), node("d", null)],
  edges: [
    { from: "a", to: "b", artifact: "docs", rows: 3 },
    { from: "b", to: "c" },
    { from: "c", to: "d", port: "x" },
    { from: "b", to: "d", port: "y" },
  ],
  groups: [
    { id: "g", label: "g", parent: null },
    { id: "g/h", label: "h", parent: "g" },
  ],
} as unknown as Picture;

describe("folding", () => {
  test("nothing folded shows all", () => {
    const view = fold(picture, new Set());
    expect(view.nodes.map(({ id }) => id)).toEqual(["a", "b", "c", "d"]);
    expect(view.groups.map(({ id }) => id)).toEqual(["g", "g/h"]);
    expect(view.edges[0]?.label).toBe("docs · 3 rows");
  });
  test("a folded group stands for what is inside, however deep", () => {
    const view = fold(picture, new Set(["g"]));
    expect(view.nodes.map(({ id }) => id)).toEqual(["a", "d", "g"]);
    expect(view.nodes.at(-1)).toMatchObject({ holds: 2, state: "failed" });
    expect(view.edges.map(({ id, label }) => [id, label])).toEqual([
      ["a→g", "docs · 3 rows"],
      ["g→d", "x, y"],
    ]);
    expect(view.groups).toEqual([]);
  });
  test("a group shows what needs a person first", () => expect(worst(["succeeded", "running", null, "waiting"])).toBe("waiting"));
});

test("what a longer way says is not drawn twice, unless it carries something", () => {
  const edge = (from: string, to: string, label = "") => ({ id: `${from}→${to}`, from, to, label });
  const ids = (edges: ReturnType<typeof edge>[]) => reduce(edges).map(({ id }) => id);
  expect(ids([edge("a", "b"), edge("b", "c"), edge("a", "c")])).toEqual(["a→b", "b→c"]);
  expect(ids([edge("a", "b"), edge("b", "c"), edge("a", "c", "rows")])).toEqual(["a→b", "b→c", "a→c"]);
  expect(ids([edge("a", "b"), edge("b", "a"), edge("b", "c")])).toEqual(["a→b", "b→a", "b→c"]);
});

test("the layout goes left to right and arrow keys follow it", () => {
  const view = fold(picture, new Set());
  const boxes = layout(view);
  const x = (id: string) => boxes[id]?.x ?? Number.NaN;
  expect(x("a")).toBeLessThan(x("b"));
  expect(x("b")).toBeLessThan(x("c"));
  expect(x("c")).toBeLessThan(x("d"));
  expect(step("ArrowRight", "", view, boxes)).toBe("a");
  expect(step("ArrowRight", "a", view, boxes)).toBe("b");
  expect(step("ArrowLeft", "c", view, boxes)).toBe("b");
  expect(step("ArrowLeft", "a", view, boxes)).toBeUndefined();
});

const tasks = (count: number) => Array.from({ length: count }, (_, index) => node(`t${index}`, null));

function overlaps(boxes: Box[]): boolean {
  const sorted = [...boxes].sort((a, b) => a.x - b.x);
  return sorted.some((a, index) => {
    for (const b of sorted.slice(index + 1)) {
      if (b.x >= a.x + a.width) return false;
      if (a.y < b.y + b.height && b.y < a.y + a.height) return true;
    }
    return false;
  });
}

describe("large pictures", () => {
  test("500 tasks stand in layers, none over another", () => {
    const nodes = tasks(500);
    const edges = nodes.flatMap((_, index) => (index >= 25 ? [{ from: `t${index - 25}`, to: `t${index}` }] : []));
    const view = fold({ nodes, edges, groups: [] } as unknown as Picture, new Set());
    const boxes = layers(view);
    expect(Object.keys(boxes)).toHaveLength(500);
    expect(overlaps(Object.values(boxes))).toBe(false);
    for (const { from, to } of view.edges) expect(boxes[from]!.x + boxes[from]!.width).toBeLessThan(boxes[to]!.x);
    // A chain is a straight line.
    for (const { from, to } of view.edges) expect(Math.abs(boxes[from]!.y - boxes[to]!.y)).toBeLessThan(1);
  });
  test("groups hold what is theirs and nothing else, however deep", () => {
    const groups = Array.from({ length: 40 }, (_, index) => ({ id: `g${index}`, label: `g${index}`, parent: null as string | null }));
    groups.push({ id: "g0/in", label: "in", parent: "g0" });
    const nodes = [node("begin", null), ...groups.flatMap(({ id }) => Array.from({ length: 5 }, (_, index) => node(`${id}/${index}`, id))), node("end", null)];
    const edges = groups.flatMap(({ id }) => [{ from: "begin", to: `${id}/0` }, ...Array.from({ length: 4 }, (_, index) => ({ from: `${id}/${index}`, to: `${id}/${index + 1}` })), { from: `${id}/4`, to: "end" }]);
    const view = fold({ nodes, edges, groups } as unknown as Picture, new Set());
    const boxes = layers(view);
    const within = (inner: Box, outer: Box) => inner.x > outer.x && inner.y > outer.y && inner.x + inner.width < outer.x + outer.width && inner.y + inner.height < outer.y + outer.height;
    expect(overlaps(view.nodes.map(({ id }) => boxes[id]!))).toBe(false);
    expect(overlaps(groups.filter(({ parent }) => parent === null).map(({ id }) => boxes[id]!))).toBe(false);
    for (const one of [...view.nodes, ...view.groups]) if (one.parent) expect(within(boxes[one.id]!, boxes[one.parent]!)).toBe(true);
    expect(within(boxes["begin"]!, boxes["g0"]!)).toBe(false);
  });
  test("circles, strangers and long edges are laid out too", () => {
    const nodes = tasks(6);
    const edge = (from: number, to: number) => ({ id: `${from}→${to}`, from: `t${from}`, to: `t${to}`, label: "" });
    const view = { nodes: nodes.map(({ id }) => ({ id, label: id, kind: "task" as const, detail: "" })), edges: [edge(0, 1), edge(1, 2), edge(2, 0), edge(0, 3), edge(3, 4), edge(0, 4), edge(4, 9)], groups: [] };
    const boxes = layers(view);
    expect(Object.keys(boxes)).toHaveLength(6);
    expect(overlaps(Object.values(boxes))).toBe(false);
    expect(layers({ nodes: [], edges: [], groups: [] })).toEqual({});
  });
});
