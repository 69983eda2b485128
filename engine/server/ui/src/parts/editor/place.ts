// Where in a YAML file the cursor is, from indentation alone: files are half-written while one types.

export interface Place {
  /** Keys from the root to the mapping or value at the cursor; `[]` stands for an item of a list. */
  path: string[];
  /** The key whose value is typed, or none where a key is typed. */
  key?: string;
  /** What of the word is there already, and where it begins in the line. */
  word: string;
  from: number;
}

const KEY = /^(\s*(?:- +)*)("?[\w.$/-]+"?)\s*:(?:\s|$)/;

/** How far the content of a line is in; a `- ` counts, so that keys after it line up with their siblings. */
function indent(line: string): number {
  return /^\s*(?:- +)*/.exec(line)?.[0].length ?? 0;
}

export function placeAt(lines: string[], line: number, column: number): Place {
  const text = (lines[line] ?? "").slice(0, column);
  const pair = KEY.exec(text);
  const word = /[\w.$/-]*$/.exec(text)?.[0] ?? "";
  const from = column - word.length;
  let depth = pair ? (pair[1]?.length ?? 0) : indent(text);
  const path: string[] = [];
  // A bare `- ` on this line is an item of the list above it.
  let dash = /^\s*-(?:\s|$)/.test(text) ? (/^\s*/.exec(text)?.[0].length ?? 0) : -1;
  if (dash >= 0) path.unshift("[]");
  for (let at = line - 1; at >= 0; at--) {
    const above = lines[at] ?? "";
    if (!above.trim() || above.trim().startsWith("#")) continue;
    const found = KEY.exec(above);
    const lead = /^\s*/.exec(above)?.[0].length ?? 0;
    const limit = dash >= 0 ? dash + 1 : depth;
    if (found && (found[1]?.length ?? 0) < limit) {
      path.unshift((found[2] ?? "").replaceAll('"', ""));
      depth = found[1]?.length ?? 0;
      dash = -1;
    }
    if (/^\s*- /.test(above) && lead < depth && found && (found[1]?.length ?? 0) <= depth) {
      path.unshift("[]");
      depth = lead;
      dash = lead;
    }
    if (depth === 0) break;
  }
  const place: Place = { path, word, from };
  if (pair) place.key = (pair[2] ?? "").replaceAll('"', "");
  return place;
}
