import { describe, expect, test } from "vitest";
import { fold, worst, type Picture } from "./fold";
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

test("500 tasks are laid out without overlap", () => {
  const nodes = Array.from({ length: 500 }, (_, index) => node(`t${index}`, null));
  const edges = nodes.flatMap((_, index) => (index >= 25 ? [{ from: `t${index - 25}`, to: `t${index}` }] : []));
  const boxes = Object.values(layout(fold({ nodes, edges, groups: [] } as unknown as Picture, new Set())));
  expect(boxes).toHaveLength(500);
  const places = new Set(boxes.map(({ x, y }) => `${x} ${y}`));
  expect(places.size).toBe(500);
});
