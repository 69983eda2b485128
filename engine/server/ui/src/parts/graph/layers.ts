// A layout for large pictures, left to right in layers, in some milliseconds where dagre takes half a second: longest
// paths give the layers, barycentres the order in them, least squares the heights. A group is laid out by itself, and is
// one box in what is around it.
import { NODE, type Layout } from "./boxes";
import type { View } from "./fold";

const BETWEEN_LAYERS = 44;
const BETWEEN = 14;
const MARGIN = 16;
/** Inside a group's frame; its name stands above. */
const PAD = 18;
const SWEEPS = 6;
/** Long edges hold their place in the layers that they cross, up to so many places. */
const MOST_PLACES = 6000;

/** A node, a group, or the place of an edge that crosses a layer. */
interface Item {
  id: string;
  width: number;
  height: number;
  layer: number;
  before: Item[];
  after: Item[];
  /** Its middle. */
  y: number;
}

/** Where every node and group is. */
export function layers({ nodes, edges, groups }: View): Layout {
  const known = new Set(groups.map(({ id }) => id));
  const parentOf = new Map<string, string>();
  for (const { id, parent } of [...groups, ...nodes]) if (parent !== undefined && known.has(parent) && parent !== id) parentOf.set(id, parent);
  const members = new Map<string, string[]>();
  for (const { id } of [...nodes, ...groups]) push(members, parentOf.get(id) ?? "", id);
  const path = (id: string) => {
    const found = [id];
    for (let at = parentOf.get(id); at !== undefined && !found.includes(at); at = parentOf.get(at)) found.unshift(at);
    return found;
  };
  // An edge counts where its ends part: between what they are in, in the innermost group that holds both.
  const inside = new Map<string, [string, string][]>();
  const paths = new Map(nodes.map(({ id }) => [id, path(id)]));
  for (const { from, to } of edges) {
    const [a, b] = [paths.get(from), paths.get(to)];
    if (!a || !b) continue;
    let depth = 0;
    while (a[depth] !== undefined && a[depth] === b[depth]) depth++;
    const [start, end] = [a[depth], b[depth]];
    if (start === undefined || end === undefined) continue;
    push(inside, a[depth - 1] ?? "", [start, end]);
  }
  const place = (scope: string): { width: number; height: number; boxes: Layout } => {
    const within = new Map<string, Layout>();
    const items = (members.get(scope) ?? []).map((id) => {
      if (!known.has(id)) return item(id, NODE.width, NODE.height);
      const { width, height, boxes } = place(id);
      within.set(id, boxes);
      return item(id, width + 2 * PAD, height + 2 * PAD);
    });
    const { boxes, width, height } = arrange(items, inside.get(scope) ?? []);
    for (const [id, own] of within) {
      const frame = boxes[id];
      if (frame) for (const [inner, box] of Object.entries(own)) boxes[inner] = { ...box, x: box.x + frame.x + PAD, y: box.y + frame.y + PAD };
    }
    return { boxes, width, height };
  };
  const { boxes } = place("");
  for (const box of Object.values(boxes)) {
    box.x += MARGIN;
    box.y += MARGIN;
  }
  return boxes;
}

function push<T>(map: Map<string, T[]>, key: string, value: T) {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}

function item(id: string, width: number, height: number): Item {
  return { id, width, height, layer: 0, before: [], after: [], y: 0 };
}

/** Boxes of one level, from 0 on. */
function arrange(items: Item[], edges: [string, string][]): { boxes: Layout; width: number; height: number } {
  const of = new Map(items.map((one) => [one.id, one]));
  const seen = new Set<string>();
  for (const [from, to] of edges) {
    const [a, b] = [of.get(from), of.get(to)];
    const key = `${from}\n${to}`;
    // Folded groups may stand in a circle: the way back is drawn, and does not count.
    if (!a || !b || a === b || seen.has(key) || seen.has(`${to}\n${from}`)) continue;
    seen.add(key);
    a.after.push(b);
    b.before.push(a);
  }
  const order = rank(items);
  const columns = crossings(order);
  const boxes: Layout = {};
  let x = 0;
  let top = Infinity;
  let bottom = -Infinity;
  heights(columns);
  for (const column of columns) {
    const width = Math.max(...column.map((one) => one.width));
    for (const one of column) {
      const y = one.y - one.height / 2;
      if (!of.has(one.id)) continue;
      boxes[one.id] = { x: x + (width - one.width) / 2, y, width: one.width, height: one.height };
      top = Math.min(top, y);
      bottom = Math.max(bottom, y + one.height);
    }
    x += width + BETWEEN_LAYERS;
  }
  for (const box of Object.values(boxes)) box.y -= top;
  return { boxes, width: Math.max(0, x - BETWEEN_LAYERS), height: Math.max(0, bottom - top) };
}

/** Gives each item its layer; the items from left to right. What leads out of a circle is cut where it is met. */
function rank(items: Item[]): Item[] {
  const state = new Map<Item, "open" | "done">();
  const order: Item[] = [];
  for (const start of items) {
    // By hand and not by recursion: a chain may be as long as the picture.
    const stack: [Item, number][] = [[start, 0]];
    if (state.has(start)) continue;
    state.set(start, "open");
    for (let top = stack.at(-1); top; top = stack.at(-1)) {
      const [one, at] = top;
      const next = one.after[at];
      if (!next) {
        state.set(one, "done");
        order.unshift(one);
        stack.pop();
        continue;
      }
      top[1] += 1;
      const known = state.get(next);
      if (known === "open") {
        one.after.splice(at, 1);
        next.before.splice(next.before.indexOf(one), 1);
        top[1] -= 1;
      } else if (!known) {
        state.set(next, "open");
        stack.push([next, 0]);
      }
    }
  }
  for (const one of order) for (const next of one.after) next.layer = Math.max(next.layer, one.layer + 1);
  // What only leads on stands as far right as it can, which keeps its edges short.
  for (const one of [...order].reverse()) if (one.after.length > one.before.length) one.layer = Math.min(...one.after.map(({ layer }) => layer)) - 1;
  return order;
}

/** Columns in an order with few crossings. Edges over several layers hold a place in each. */
function crossings(order: Item[]): Item[][] {
  const columns: Item[][] = [];
  const put = (one: Item) => (columns[one.layer] ??= []).push(one);
  order.forEach(put);
  let places = 0;
  for (const one of order) {
    for (const [index, next] of one.after.entries()) {
      const span = next.layer - one.layer - 1;
      if (span <= 0 || places + span > MOST_PLACES) continue;
      places += span;
      let last = one;
      for (let layer = one.layer + 1; layer < next.layer; layer++) {
        const between = { ...item(`${one.id}\n${next.id}\n${layer}`, 0, 2), layer, before: [last] };
        if (last === one) one.after[index] = between;
        else last.after = [between];
        put(between);
        last = between;
      }
      last.after = [next];
      next.before[next.before.indexOf(one)] = last;
    }
  }
  const filled = columns.filter((column) => column !== undefined);
  const at = new Map<Item, number>();
  const number = (column: Item[]) => column.forEach((one, index) => at.set(one, (index + 0.5) / column.length));
  filled.forEach(number);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const right = sweep % 2 === 0;
    for (const column of right ? filled : [...filled].reverse()) {
      const mean = (one: Item) => {
        const around = right ? one.before : one.after;
        return around.length === 0 ? (at.get(one) ?? 0) : around.reduce((sum, other) => sum + (at.get(other) ?? 0), 0) / around.length;
      };
      const means = new Map(column.map((one) => [one, mean(one)]));
      column.sort((a, b) => (means.get(a) ?? 0) - (means.get(b) ?? 0));
      number(column);
    }
  }
  return filled;
}

/** Sets the middles: each item near what it is joined with, none over another, in the order that they have. */
function heights(columns: Item[][]) {
  for (const column of columns) {
    let y = 0;
    for (const one of column) {
      one.y = y + one.height / 2;
      y += one.height + BETWEEN;
    }
    for (const one of column) one.y -= y / 2;
  }
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const right = sweep % 2 === 0;
    for (const column of right ? columns : [...columns].reverse()) {
      const wanted = column.map((one) => {
        const around = right ? one.before : one.after;
        return around.length === 0 ? one.y : around.reduce((sum, other) => sum + other.y, 0) / around.length;
      });
      settle(column, wanted);
    }
  }
}

/** The places nearest to those wanted, by least squares, with the room that each needs: neighbours that would overlap move as one. */
function settle(column: Item[], wanted: number[]) {
  let offset = 0;
  const offsets = column.map((one, index) => {
    const before = column[index - 1];
    if (before) offset += (before.height + one.height) / 2 + BETWEEN;
    return offset;
  });
  const blocks: { sum: number; count: number }[] = [];
  for (const [index, y] of wanted.entries()) {
    let block = { sum: y - (offsets[index] ?? 0), count: 1 };
    for (let last = blocks.at(-1); last && last.sum / last.count >= block.sum / block.count; last = blocks.at(-1)) {
      block = { sum: block.sum + last.sum, count: block.count + last.count };
      blocks.pop();
    }
    blocks.push(block);
  }
  let index = 0;
  for (const { sum, count } of blocks) {
    for (let n = 0; n < count; n++, index++) {
      const one = column[index];
      if (one) one.y = sum / count + (offsets[index] ?? 0);
    }
  }
}
