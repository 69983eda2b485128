import { describe, expect, test } from "vitest";
import { ago, bytes, duration, figure, plural, shortId } from "./format";

describe("durations", () => {
  test.each([
    [0, "0 ms"],
    [412, "412 ms"],
    [1234, "1.2 s"],
    [12_400, "12 s"],
    [83_000, "1 m 23 s"],
    [3_600_000, "1 h"],
    [3_660_000, "1 h 1 m"],
    [90_061_000, "1 d 1 h"],
    [-5, "–"],
    [Number.NaN, "–"],
  ])("%d ms is %s", (ms, text) => expect(duration(ms)).toBe(text));
});

test("moments are told from now, both ways", () => {
  expect(ago(0, 1_500)).toBe("now");
  expect(ago(0, 65_000)).toBe("1 m ago");
  expect(ago(7_300_000, 0)).toBe("in 2 h");
});

test("figures keep what matters of them", () => {
  expect(figure(0.123456)).toBe("0.1235");
  expect(figure(0.00001234)).toBe("1.23e-5");
  expect(figure(1234567)).toBe("1\u202f234\u202f567");
  expect(figure(128)).toBe("128");
  expect(figure(null)).toBe("–");
  expect(figure("passed")).toBe("passed");
});

test("sizes, counts and ids", () => {
  expect(bytes(999)).toBe("999 B");
  expect(bytes(1_500_000)).toBe("1.5 MB");
  expect(plural(1, "run")).toBe("1 run");
  expect(plural(0, "DAG failing", "DAGs failing")).toBe("0 DAGs failing");
  expect(shortId("01JD3QZ7Y8ABCDEFGHJKMNPQRS")).toBe("MNPQRS");
});
