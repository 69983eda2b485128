import { expect, test } from "vitest";
import { gap, olderRun, overlay } from "./overlay";

const older = (row: number, last: number) => row < last;

test("new rows come on top, and what was read before stays below", () => {
  expect(overlay([9, 8, 7], false, [7, 6, 5, 4], older)).toEqual([9, 8, 7, 6, 5, 4]);
});

test("what no longer belongs to the newest part goes", () => {
  expect(overlay([9, 7], false, [9, 8, 7, 6], older)).toEqual([9, 7, 6]);
});

test("a whole newest page is the list", () => {
  expect(overlay([2], true, [3, 2, 1], older)).toEqual([2]);
  expect(overlay([], false, [3], older)).toEqual([]);
  expect(overlay(undefined, false, [3], older)).toEqual([3]);
});

test("runs of the same moment are told apart by their ids", () => {
  const at = "2026-01-01T00:00:00.000001Z";
  expect(olderRun({ created_at: at, id: "a" }, { created_at: at, id: "b" })).toBe(true);
  expect(olderRun({ created_at: at, id: "b" }, { created_at: at, id: "b" })).toBe(false);
  expect(olderRun({ created_at: "2025-01-01T00:00:00Z", id: "z" }, { created_at: at, id: "b" })).toBe(true);
});

test("rows that nobody has read are noticed", () => {
  expect(gap([9, 8, 7], false, [7, 6], older)).toBe(false);
  expect(gap([9, 8, 7], false, [6, 5], older)).toBe(true);
  expect(gap([9, 8, 7], true, [6, 5], older)).toBe(false);
  expect(gap(undefined, false, [6, 5], older)).toBe(false);
});
