import { expect, test } from "vitest";
import { check, validator } from "./validator";

const schema = { type: "object", properties: { n: { type: "integer", minimum: 1 }, who: { type: "string" } }, required: ["who"] } as const;

test("errors stand at their fields", () => {
  expect(check(schema as never, { n: 0 }).map(({ property, message }) => [property, message])).toEqual([
    [".who", "is required"],
    [".n", expect.stringMatching(/0 is less than 1|minimum/)],
  ]);
});

test("what a form leaves undefined is absent", () => {
  expect(check(schema as never, { n: undefined, who: "Ada" })).toEqual([]);
});

test("no code is made at run time", () => {
  const real = globalThis.Function;
  globalThis.Function = (() => {
    throw new Error("code at run time");
  }) as unknown as FunctionConstructor;
  try {
    expect(validator.isValid(schema as never, { who: "Ada" }, schema as never)).toBe(true);
  } finally {
    globalThis.Function = real;
  }
});
