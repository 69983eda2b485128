import { describe, expect, test } from "vitest";
import { sorted } from "../ui/Table";
import { ansi, plain } from "./ansi";
import { quote, runCommand } from "./command";
import { criticalPath } from "./critical";
import { align, smooth } from "./curves";
import { changedColumns, middle } from "./diff";
import { asYaml, best, columnsOf, variantIn, variantsOf, type Row } from "./experiments";
import { rank } from "./rank";
import { partsOf } from "./touched";

test("a terminal's colours become classes and nothing else stays", () => {
  expect(ansi("plain")).toEqual([{ text: "plain", className: "" }]);
  expect(ansi("\u001b[1;31mbad\u001b[0m good\u001b[2K")).toEqual([
    { text: "bad", className: "ansi-red ansi-bold" },
    { text: " good", className: "" },
  ]);
  expect(ansi("\u001b[38;5;196mx")).toEqual([{ text: "x", className: "" }]);
  expect(plain("\u001b]8;;http://evil\u0007link\u001b]8;;\u0007")).toBe("link");
});

describe("command lines", () => {
  test("only what a shell needs is quoted", () => {
    expect(quote("dags/twin.yaml")).toBe("dags/twin.yaml");
    expect(quote("it's $HOME")).toBe(`'it'\\''s $HOME'`);
  });
  test("defaults are left out", () => {
    expect(runCommand("a.yaml", { who: "Ada", n: 3 }, { who: "Ada", n: 1 }, "http://h")).toBe("twinloom run a.yaml \\\n  --param n=3 \\\n  --server http://h");
  });
});

test("the critical path follows the need that ended last", () => {
  const task = (id: string, ended_at: string) => ({ id, started_at: ended_at, ended_at });
  const tasks = [task("a", "2026-01-01T00:00:01Z"), task("b", "2026-01-01T00:00:05Z"), task("c", "2026-01-01T00:00:09Z"), task("d", "2026-01-01T00:00:02Z")];
  const edges = [
    { from: "a", to: "c" },
    { from: "b", to: "c" },
    { from: "a", to: "d" },
  ];
  expect([...criticalPath(tasks, edges)]).toEqual(["c", "b"]);
});

test("smoothing starts at the first value and 0 changes nothing", () => {
  const points = [1, 3, 3].map((y, x) => ({ x, y }));
  expect(smooth(points, 0)).toBe(points);
  expect(smooth(points, 0.5)[0]?.y).toBe(1);
  expect(smooth(points, 0.5)[1]?.y).toBeCloseTo(7 / 3);
});

test("curves share one abscissa, with gaps", () => {
  const curve = (label: string, ...xs: number[]) => ({ label, points: xs.map((x) => ({ x, y: x * 10 })) });
  expect(align([curve("a", 1, 3), curve("b", 2, 3)])).toEqual([
    [1, 2, 3],
    [10, null, 30],
    [null, 20, 30],
  ]);
});

test("differences of rows and of texts", () => {
  expect(changedColumns({ a: 1, b: [2] }, { a: 1, b: [3], c: 0 })).toEqual(["b", "c"]);
  expect(middle("the old cat", "the new cat")).toEqual({ head: "the ", before: "old", after: "new", tail: " cat" });
  expect(middle("aa", "aaa")).toEqual({ head: "aa", before: "", after: "a", tail: "" });
});

describe("experiments", () => {
  const row = (run: string, params: Record<string, unknown>, metrics: Record<string, unknown>) => ({ run, params, metrics }) as Row;
  const rows = [row("1", { lr: 0.1, base: "nano" }, { loss: 3 }), row("2", { lr: 0.2, base: "nano" }, { loss: 2 }), row("3", {}, {})];
  test("what differs comes first", () => expect(columnsOf(rows, "params")).toEqual(["lr", "base"]));
  test("the best has the least, or the most", () => {
    expect(best(rows, "loss", "minimize")?.run).toBe("2");
    expect(best(rows, "loss", "maximize")?.run).toBe("1");
    expect(best(rows, "absent", "maximize")).toBeUndefined();
  });
  test("variants become rows with their values as parameters", () => {
    const swept = row("1", { base: "nano" }, { "prepare.rows": 4, "train[rank=8,lr=1e-4].loss": 2, "train[rank=16,lr=1e-4].loss": 1 });
    const trials = variantsOf([swept, rows[2] as Row]);
    expect(trials.map(({ key }) => key)).toEqual(["1 rank=8,lr=1e-4", "1 rank=16,lr=1e-4", "3"]);
    expect(trials[1]?.params).toEqual({ base: "nano", rank: 16, lr: 0.0001 });
    expect(trials[1]?.metrics).toEqual({ "prepare.rows": 4, "train.loss": 1 });
    expect(variantIn("t[rank=16]/train[seed=1]")).toEqual({ variant: "rank=16,seed=1", task: "t/train" });
  });
  test("YAML keeps types", () => expect(asYaml({ a: "on", b: "nano", c: 1, d: [1, "x"], e: "1e3" })).toBe('a: "on"\nb: nano\nc: 1\nd: [1,"x"]\ne: "1e3"\n'));
});

test("the palette finds every word, beginnings first", () => {
  const items = ["retrain twin", "twin", "winter"];
  expect(rank(items, "win", (one) => one)).toEqual(["winter", "twin", "retrain twin"]);
  expect(rank(items, "twin re", (one) => one)).toEqual(["retrain twin"]);
});

test("tables sort numbers as numbers, and what is missing last", () => {
  const columns = [{ key: "n", head: "n", cell: () => null, value: (row: { n: number | null }) => row.n }];
  const rows = [{ n: 10 }, { n: null }, { n: 9 }];
  expect(sorted(rows, columns, "n").map(({ n }) => n)).toEqual([9, 10, null]);
  expect(sorted(rows, columns, "-n").map(({ n }) => n)).toEqual([10, 9, null]);
  expect(sorted(rows, columns, "other")).toBe(rows);
});

test("an event says which parts of the page it makes old", () => {
  expect(partsOf("dataset.published")).toContain("datasets");
  expect(partsOf("approval.opened")).toContain("approvals");
  expect(partsOf("something.new")).toEqual(["events", "overview"]);
});
