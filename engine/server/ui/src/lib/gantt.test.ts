import { expect, test } from "vitest";
import { segments, ticks } from "./gantt";

const at = (second: number) => new Date(second * 1000).toISOString();
const task = { id: "a", state: "succeeded", operator: "clean", attempts: 1, queued_at: at(0), started_at: at(2), ended_at: at(5) };

test("queue and work are told apart", () => {
  expect(segments(task, [], 0).map(({ kind, from, to }) => [kind, from, to])).toEqual([
    ["queued", 0, 2000],
    ["running", 2000, 5000],
  ]);
});

test("each attempt is a segment, with the wait between them", () => {
  const attempts = [
    { attempt: 1, started_at: at(1), ended_at: at(2), outcome: "failed" },
    { attempt: 2, started_at: at(4), ended_at: at(5), outcome: "succeeded" },
  ];
  expect(segments({ ...task, attempts: 2, started_at: at(4) }, attempts, 0).map(({ kind, outcome }) => [kind, outcome])).toEqual([
    ["queued", undefined],
    ["running", "failed"],
    ["backoff", undefined],
    ["running", "succeeded"],
  ]);
});

test("a question to a person waits after its attempt has ended", () => {
  const asks = { ...task, operator: "approve", state: "waiting", ended_at: null };
  const found = segments(asks, [{ attempt: 1, started_at: at(2), ended_at: at(3), outcome: "succeeded" }], 10_000);
  expect(found.at(-1)).toMatchObject({ kind: "waiting", from: 3000, to: 10_000 });
});

test("a task that is in the queue grows until now", () => {
  expect(segments({ ...task, state: "queued", started_at: null, ended_at: null }, [], 9000)).toEqual([{ kind: "queued", from: 0, to: 9000 }]);
});

test("ticks are round and few", () => {
  expect(ticks(9_500, 7)).toEqual([0, 2000, 4000, 6000, 8000]);
  expect(ticks(0.5, 7)).toEqual([0]);
});
