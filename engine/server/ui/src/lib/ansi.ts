// SGR escape sequences of terminals as classes; every other control sequence is dropped.

export interface Piece {
  text: string;
  className: string;
}

const SEQUENCE = /\u001b\[([0-9;?]*)([@-~])|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[\u0000-\u0008\u000b-\u001f]/g;
const COLOURS = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];

export function ansi(line: string): Piece[] {
  if (!/[\u0000-\u001f]/.test(line)) return [{ text: line, className: "" }];
  const pieces: Piece[] = [];
  const style = { colour: "", bold: false, dim: false, italic: false, underline: false };
  let at = 0;
  const push = (text: string) => {
    if (!text) return;
    const names = [style.colour && `ansi-${style.colour}`, style.bold && "ansi-bold", style.dim && "ansi-dim", style.italic && "ansi-italic", style.underline && "ansi-underline"];
    pieces.push({ text, className: names.filter(Boolean).join(" ") });
  };
  for (const match of line.matchAll(SEQUENCE)) {
    push(line.slice(at, match.index));
    at = match.index + match[0].length;
    if (match[2] === "m") apply(style, match[1] ?? "");
  }
  push(line.slice(at));
  return pieces;
}

function apply(style: { colour: string; bold: boolean; dim: boolean; italic: boolean; underline: boolean }, codes: string) {
  const list = codes.split(";").map(Number);
  for (let i = 0; i < list.length; i++) {
    const code = list[i] ?? 0;
    if (code === 0) Object.assign(style, { colour: "", bold: false, dim: false, italic: false, underline: false });
    else if (code === 1) style.bold = true;
    else if (code === 2) style.dim = true;
    else if (code === 3) style.italic = true;
    else if (code === 4) style.underline = true;
    else if (code === 22) style.bold = style.dim = false;
    else if (code === 23) style.italic = false;
    else if (code === 24) style.underline = false;
    else if (code === 39) style.colour = "";
    else if (code === 38 || code === 48) i += list[i + 1] === 5 ? 2 : 4;
    else if ((code >= 30 && code <= 37) || (code >= 90 && code <= 97)) style.colour = COLOURS[code % 10] ?? "";
  }
}

/** The text that is shown. */
export function plain(line: string): string {
  return line.replace(SEQUENCE, "");
}
