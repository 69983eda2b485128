import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { choices, operatorOf, type Knowledge } from "./complete";
import { placeAt } from "./place";
import { docAt, keysAt, valuesAt, type JsonSchema } from "./schema";
import { marks } from "./spans";

const schema = JSON.parse(readFileSync(new URL("../../../../../spec/schema/dag.schema.json", import.meta.url), "utf8")) as JsonSchema;

/** The text with `|` where the cursor is. */
function at(text: string): [string[], number, number] {
  const [before = "", after = ""] = text.split("|");
  const lines = (before + after).split("\n");
  const line = before.split("\n").length - 1;
  return [lines, line, before.split("\n").at(-1)?.length ?? 0];
}

describe("the place of the cursor", () => {
  const place = (text: string) => placeAt(...at(text));
  test("at the root", () => expect(place("kind: Dag\nna|")).toMatchObject({ path: [], word: "na" }));
  test("in a mapping", () => expect(place("steps:\n  a:\n    us|")).toMatchObject({ path: ["steps", "a"], word: "us" }));
  test("of a value", () => expect(place("steps:\n  a:\n    uses: scr|")).toMatchObject({ path: ["steps", "a"], key: "uses", word: "scr" }));
  test("after deeper siblings", () => expect(place("on:\n  schedule:\n    cron: x\n  da|")).toMatchObject({ path: ["on"] }));
  test("in an item of a list", () => expect(place("on:\n  schedule:\n    - cron: x\n      ti|")).toMatchObject({ path: ["on", "schedule", "[]"] }));
  test("over comments and empty lines", () => expect(place("defaults:\n  # why\n\n  ret|")).toMatchObject({ path: ["defaults"] }));
});

describe("the schema", () => {
  test("says which keys there are, with their documentation", () => {
    const keys = keysAt(schema, ["steps", "anything"]);
    expect(keys.map(({ label }) => label)).toEqual(expect.arrayContaining(["uses", "with", "in", "out", "matrix"]));
    expect(keys.every(({ doc }) => doc !== "")).toBe(true);
  });
  test("says which values there are", () => expect(valuesAt(schema, ["concurrency", "when_busy"]).map(({ label }) => label)).toEqual(["queue", "skip", "cancel"]));
  test("explains a key", () => expect(docAt(schema, ["concurrency", "max_runs"])?.doc).toMatch(/Runs/));
});

describe("completion", () => {
  const operator = { name: "chunk", summary: "Cuts documents", config_schema: { type: "object", properties: { size: { type: "integer", description: "Tokens." } } } };
  const known = { schema, operators: [operator] } as unknown as Knowledge;
  const labels = (text: string) => choices(known, ...at(text)).choices.map(({ label }) => label);
  test("offers operators after uses", () => expect(labels("steps:\n  a:\n    uses: |")).toEqual(["chunk"]));
  test("offers an operator's own keys below with", () => expect(labels("steps:\n  a:\n    uses: chunk\n    with:\n      s|")).toEqual(["size"]));
  test("finds the operator of a step", () => expect(operatorOf("steps:\n  a:\n    uses: chunk\n    with: {}".split("\n"), ["steps", "a", "with"], 3)).toBe("chunk"));
});

test("places are counted in bytes by the server and in UTF-16 by the editor", () => {
  const diagnostic = { code: "c", message: "m", hint: null, file: "f", line: 2, column: 1, start: 7, end: 10, rendered: "" };
  expect(marks("é😀\nabc", [{ ...diagnostic }], "f")[0]).toMatchObject({ from: 4, to: 7 });
  expect(marks("ab", [{ ...diagnostic, start: 90, end: 90 }], "f")[0]).toMatchObject({ from: 1, to: 2 });
  expect(marks("ab", [{ ...diagnostic, file: "other.yaml" }], "f")).toEqual([]);
});
