import { look } from "../lib/states";

const SHAPES: Record<string, React.ReactNode> = {
  succeeded: <path d="M3 8.500 6.500 12 13 4.500" />,
  cached: <path d="M1.500 8.500 4.800 12 10.500 5M7.500 11.500l.6.500L14.500 5" />,
  running: (
    <>
      <circle cx="8" cy="8" r="5.500" opacity=".3" />
      <path className="spin" d="M8 2.500A5.500 5.500 0 0 1 13.500 8" />
    </>
  ),
  queued: <circle cx="8" cy="8" r="5.500" />,
  pending: <circle cx="8" cy="8" r="5.500" strokeDasharray="1.600 2.700" />,
  waiting: (
    <path
      strokeWidth="1.500"
      d="M5 9V3.800a1 1 0 0 1 2 0V7.500m0-.4V2.600a1 1 0 0 1 2 0v4.700m0-.2V3.500a1 1 0 0 1 2 0v5m0-2.300a1 1 0 0 1 2 0V10c0 2.600-1.700 4.500-4.200 4.500-2.100 0-3-.9-4-2.500L3 8.900c-.6-1 .8-1.900 1.500-1L5 9"
    />
  ),
  failed: <path strokeWidth="2.400" d="m3.500 3.500 9 9m0-9-9 9" />,
  upstream_failed: (
    <path
      strokeWidth="1.300"
      strokeLinejoin="round"
      d="M5 2.300 8 5.300l3-3L13.700 5l-3 3 3 3-2.700 2.700-3-3-3 3L2.300 11l3-3-3-3z"
    />
  ),
  skipped: <path d="M3 8h10" />,
  late: (
    <>
      <circle cx="8" cy="8" r="5.500" />
      <path d="M8 4.800V8l2.200 1.500" />
    </>
  ),
  cancelled: (
    <>
      <circle cx="8" cy="8" r="5.500" />
      <path d="m4.200 11.800 7.600-7.600" />
    </>
  ),
};

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
      {SHAPES[state] ?? SHAPES.pending}
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
