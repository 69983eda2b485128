// A task's log as it is written: resumes where it stopped, and hands lines over once a frame.
import { useEffect, useRef, useState } from "react";
import type { Schemas } from "../../api/client";

export type LogLine = Schemas["LogItem"];

export interface Log {
  lines: LogLine[];
  /** `open` while it is followed, `end` when the task has ended, `lost` while the connection is. */
  state: "connecting" | "open" | "end" | "lost";
  /** Lines that were dropped from the beginning, to stay within bounds. */
  dropped: number;
}

/** Lines kept at most; the file on the server holds all. */
const MOST = 200_000;
const START: Log = { lines: [], state: "connecting", dropped: 0 };

/** `round` changes with every attempt and every state of the task: a log that has ended is then read on from its last line. */
export function useLog(run: string, task: string, round: string): Log {
  const [log, setLog] = useState<Log>(START);
  const readOn = useRef<() => void>(undefined);
  useEffect(() => {
    setLog(START);
    if (!task) return;
    let fresh: LogLine[] = [];
    let last = 0;
    let frame = 0;
    let retry: ReturnType<typeof setTimeout> | undefined;
    let source: EventSource | undefined;
    let over = false;

    const hand = () => {
      frame = 0;
      const lines = fresh;
      fresh = [];
      setLog((old) => {
        const all = old.lines.concat(lines);
        const extra = Math.max(0, all.length - MOST);
        return { ...old, lines: extra ? all.slice(extra) : all, dropped: old.dropped + extra, state: old.state === "end" ? "end" : "open" };
      });
    };
    const open = () => {
      source = new EventSource(`/api/v1/runs/${encodeURIComponent(run)}/tasks/${encodeURIComponent(task)}/logs?after=${last}&limit=5000`);
      source.onopen = () => setLog((old) => ({ ...old, state: "open" }));
      source.addEventListener("log", (event) => {
        const line = JSON.parse((event as MessageEvent<string>).data) as LogLine;
        // A cursor grows with each line: what came already is not shown twice.
        if (line.cursor <= last) return;
        last = line.cursor;
        fresh.push(line);
        frame ||= requestAnimationFrame(hand);
      });
      source.addEventListener("end", () => {
        source?.close();
        over = true;
        setLog((old) => ({ ...old, state: "end" }));
      });
      source.onerror = () => {
        source?.close();
        setLog((old) => ({ ...old, state: "lost" }));
        retry = setTimeout(open, 1500);
      };
    };
    open();
    readOn.current = () => {
      if (!over) return;
      over = false;
      open();
    };
    return () => {
      readOn.current = undefined;
      source?.close();
      clearTimeout(retry);
      cancelAnimationFrame(frame);
    };
  }, [run, task]);
  useEffect(() => readOn.current?.(), [round]);
  return log;
}
