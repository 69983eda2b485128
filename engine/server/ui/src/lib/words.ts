// The server's sentences, cut at what a page shows better: code, moments, ids of runs.

export interface Piece {
  kind: "text" | "code" | "moment" | "run";
  text: string;
}

const SPECIAL = /`([^`]*)`|\b(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)|\b([0-9A-HJKMNP-TV-Z]{26})\b/g;

export function pieces(sentence: string): Piece[] {
  const found: Piece[] = [];
  let at = 0;
  for (const match of sentence.matchAll(SPECIAL)) {
    if (match.index > at) found.push({ kind: "text", text: sentence.slice(at, match.index) });
    at = match.index + match[0].length;
    if (match[1] !== undefined) found.push({ kind: "code", text: match[1] });
    else if (match[2] !== undefined) found.push({ kind: "moment", text: match[2] });
    else found.push({ kind: "run", text: match[0] });
  }
  if (at < sentence.length) found.push({ kind: "text", text: sentence.slice(at) });
  return found;
}

/** The same as plain text, for titles. */
export function unmarked(sentence: string): string {
  return sentence.replaceAll("`", "");
}
