import { expect, test } from "vitest";
import { blocks } from "./card";
import { pieces, unmarked } from "./words";

test("a sentence is cut at code, moments and runs", () => {
  expect(pieces("Run 01M81GPHQJB0Y4T473ZMN0A9E2 of `prices` fires at 2026-11-22T12:00:00Z.").map(({ kind, text }) => `${kind}:${text}`)).toEqual(["text:Run ", "run:01M81GPHQJB0Y4T473ZMN0A9E2", "text: of ", "code:prices", "text: fires at ", "moment:2026-11-22T12:00:00Z", "text:."]);
  expect(pieces("plain")).toEqual([{ kind: "text", text: "plain" }]);
  expect(pieces("")).toEqual([]);
  expect(unmarked("not run because `check` failed")).toBe("not run because check failed");
});

test("a model card's Markdown becomes blocks", () => {
  const card = "---\nlicense: mit\n---\n# Twin\n\nOne line\nand its rest.\n\n- a\n- b\n\n| step | loss |\n|---|---|\n| 1 | 2.5 |\n| 2 | 2.1 |\n\n```\nx | y\n```\n";
  expect(blocks(card)).toEqual([
    { kind: "heading", level: 1, text: "Twin" },
    { kind: "text", text: "One line and its rest." },
    { kind: "list", items: ["a", "b"] },
    { kind: "table", head: ["step", "loss"], rows: [["1", "2.5"], ["2", "2.1"]] },
    { kind: "code", text: "x | y" },
  ]);
  expect(blocks("```\nopen")).toEqual([{ kind: "code", text: "open" }]);
});
