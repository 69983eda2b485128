import { expect, test } from "vitest";
import type { Schemas } from "../api/client";
import { mergeGrid } from "./grid";

const page = (runs: string[], tasks: string[], state: string) =>
  ({ runs: runs.map((id) => ({ id })), tasks: tasks.map((id) => ({ id })), cells: runs.flatMap((_, run) => tasks.map((_, task) => ({ run, task, state, attempts: 1 }))) }) as unknown as Schemas["Grid"];

test("pages are one grid, and the newest reading of a run counts", () => {
  const data = mergeGrid([page(["r3", "r2"], ["a", "b"], "running"), page(["r2", "r1"], ["a", "c"], "succeeded")]);
  expect(data.runs.map(({ id }) => id)).toEqual(["r3", "r2", "r1"]);
  expect(data.tasks.map(({ id }) => id)).toEqual(["a", "b", "c"]);
  expect(data.cells.get("r2")?.get("a")?.state).toBe("running");
  expect(data.cells.get("r1")?.get("c")?.state).toBe("succeeded");
  expect(data.cells.get("r2")?.has("c")).toBe(false);
});
