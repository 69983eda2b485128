// The Markdown of model cards: headings, lists, tables, code and paragraphs. Nothing else is needed, and no HTML is made.

export type Block =
  | { kind: "heading"; level: number; text: string }
  | { kind: "list"; items: string[] }
  | { kind: "table"; head: string[]; rows: string[][] }
  | { kind: "code"; text: string }
  | { kind: "text"; text: string };

const cells = (line: string) => line.replace(/^\s*\|/, "").replace(/\|\s*$/, "").split("|").map((cell) => cell.trim());

export function blocks(markdown: string): Block[] {
  const lines = markdown.replace(/^---\n[\s\S]*?\n---\n/, "").split("\n");
  const found: Block[] = [];
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? "";
    const heading = /^(#{1,6})\s+(.*)/.exec(line);
    const last = found.at(-1);
    if (line.startsWith("```")) {
      const end = lines.findIndex((other, index) => index > at && other.startsWith("```"));
      const stop = end < 0 ? lines.length : end;
      found.push({ kind: "code", text: lines.slice(at + 1, stop).join("\n") });
      at = stop;
    } else if (heading) found.push({ kind: "heading", level: heading[1]?.length ?? 1, text: heading[2] ?? "" });
    else if (/^\s*[-*]\s+/.test(line)) {
      const item = line.replace(/^\s*[-*]\s+/, "");
      if (last?.kind === "list") last.items.push(item);
      else found.push({ kind: "list", items: [item] });
    } else if (line.includes("|") && /^\s*\|?[\s:|-]+\|[\s:|-]*$/.test(lines[at + 1] ?? "")) {
      const end = lines.findIndex((other, index) => index > at + 1 && !other.includes("|"));
      const stop = end < 0 ? lines.length : end;
      found.push({ kind: "table", head: cells(line), rows: lines.slice(at + 2, stop).map(cells) });
      at = stop - 1;
    } else if (line.trim() !== "") {
      const above = lines[at - 1]?.trim();
      if (last?.kind === "text" && above) last.text += ` ${line.trim()}`;
      else found.push({ kind: "text", text: line.trim() });
    }
  }
  return found;
}
