import { plain } from "../../lib/ansi";
import type { LogLine } from "./useLog";

export const LEVELS = ["debug", "info", "warn", "error"] as const;
export type Level = (typeof LEVELS)[number];

/** Lines at least as serious as `level`. */
export function atLeast(lines: LogLine[], level: string): LogLine[] {
  const low = LEVELS.indexOf(level as Level);
  return low <= 0 ? lines : lines.filter((line) => LEVELS.indexOf(line.level) >= low);
}

/** Indexes of the lines that hold the text, in any case. */
export function hits(lines: LogLine[], text: string): number[] {
  const wanted = text.toLowerCase();
  if (!wanted) return [];
  const found: number[] = [];
  for (const [index, line] of lines.entries()) if (plain(line.message).toLowerCase().includes(wanted)) found.push(index);
  return found;
}

/** A text split at what is searched for: odd pieces are hits. */
export function split(text: string, wanted: string): string[] {
  if (!wanted) return [text];
  const pieces: string[] = [];
  const hay = text.toLowerCase();
  const needle = wanted.toLowerCase();
  let at = 0;
  for (let next = hay.indexOf(needle); next >= 0; next = hay.indexOf(needle, at)) {
    pieces.push(text.slice(at, next), text.slice(next, next + needle.length));
    at = next + needle.length;
  }
  pieces.push(text.slice(at));
  return pieces;
}

/** The whole log as a text file. */
export function asText(lines: LogLine[]): string {
  return lines.map((line) => `${line.time} ${line.attempt} ${line.level.padEnd(5)} ${plain(line.message)}\n`).join("");
}
