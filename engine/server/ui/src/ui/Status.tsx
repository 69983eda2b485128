import { SHAPES } from "../lib/shapes";
import { look } from "../lib/states";

/** Made once for each state: some hundred are on a page. */
const DRAWN = Object.fromEntries(
  Object.entries(SHAPES).map(([state, strokes]) => [
    state,
    strokes.map(({ d, width, dash, opacity, join, turns }) => <path key={d} d={d} strokeWidth={width} strokeDasharray={dash?.join(" ")} opacity={opacity} strokeLinejoin={join} className={turns ? "spin" : undefined} />),
  ]),
);

/** The shape alone, for places where the word stands nearby or in a label. */
export function StateShape({ state, size = 15 }: { state: string; size?: number }) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      strokeWidth="2"
      strokeLinecap="round"
      aria-hidden="true"
    >
      {DRAWN[state] ?? DRAWN.pending}
    </svg>
  );
}

/** Shape, colour and word together. */
export function Status({ state, word }: { state: string; word?: string }) {
  const { tone, word: usual } = look(state);
  return (
    <span className={`status tone-${tone}`} data-state={state}>
      <StateShape state={state} />
      {word ?? usual}
    </span>
  );
}

/** A good or bad verdict in the same shapes. */
export function Verdict({ good, word }: { good: boolean; word?: string }) {
  return <Status state={good ? "succeeded" : "failed"} word={word ?? (good ? "passed" : "not passed")} />;
}
