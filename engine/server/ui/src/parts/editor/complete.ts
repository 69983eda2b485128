// Completion and hover from the schema of DAG files and from the operators that the server has.
import type { Completion, CompletionContext, CompletionResult } from "@codemirror/autocomplete";
import type { EditorView, Tooltip } from "@codemirror/view";
import type { Schemas } from "../../api/client";
import { placeAt } from "./place";
import { docAt, keysAt, valuesAt, type Choice, type JsonSchema } from "./schema";

export interface Knowledge {
  schema: JsonSchema;
  operators: Schemas["OperatorItem"][];
}

/** The operator of the step that the line belongs to: the `uses:` among its siblings. */
export function operatorOf(lines: string[], path: string[], line: number): string | undefined {
  const step = path[path.indexOf("steps") + 1];
  if (!path.includes("steps") || !step) return undefined;
  const starts = lines.findIndex((text, at) => at <= line && new RegExp(`^\\s+"?${step.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}"?\\s*:`).test(text));
  if (starts < 0) return undefined;
  const depth = /^\s*/.exec(lines[starts] ?? "")?.[0].length ?? 0;
  for (const text of lines.slice(starts + 1)) {
    if (text.trim() && (/^\s*/.exec(text)?.[0].length ?? 0) <= depth) break;
    const uses = /^\s+uses:\s*["']?([\w./-]+)/.exec(text);
    if (uses) return uses[1];
  }
  return undefined;
}

/** The schema that governs the rest of the path: the operator's own below a step's `with:`. */
function governing(known: Knowledge, lines: string[], path: string[], line: number): [JsonSchema, string[]] {
  const at = path.indexOf("with");
  if (path[0] === "steps" && at === 2) {
    const operator = known.operators.find(({ name }) => name === operatorOf(lines, path, line));
    if (operator) return [operator.config_schema as JsonSchema, path.slice(3)];
  }
  return [known.schema, path];
}

export function choices(known: Knowledge, lines: string[], line: number, column: number): { from: number; choices: Choice[]; keys: boolean } {
  const place = placeAt(lines, line, column);
  if (place.key !== undefined) {
    if (place.key === "uses" && place.path[0] === "steps") {
      const operators = known.operators.map(({ name, summary }): Choice => ({ label: name, detail: "operator", doc: summary, nested: false }));
      return { from: place.from, choices: operators, keys: false };
    }
    const [schema, path] = governing(known, lines, [...place.path, place.key], line);
    return { from: place.from, choices: valuesAt(schema, path), keys: false };
  }
  const [schema, path] = governing(known, lines, place.path, line);
  return { from: place.from, choices: [...keysAt(schema, path), ...(path.at(-1) === "[]" ? valuesAt(schema, path) : [])], keys: true };
}

export function completer(known: () => Knowledge | undefined) {
  return (context: CompletionContext): CompletionResult | null => {
    const knowledge = known();
    const line = context.state.doc.lineAt(context.pos);
    if (!knowledge || /^\s*#/.test(line.text)) return null;
    const found = choices(knowledge, context.state.doc.toString().split("\n"), line.number - 1, context.pos - line.from);
    if (found.choices.length === 0) return null;
    if (!context.explicit && line.from + found.from === context.pos && !/:\s$/.test(line.text.slice(0, context.pos - line.from))) return null;
    const options = found.choices.map(({ label, detail, doc, nested }): Completion => ({ label, detail, info: doc || undefined, apply: found.keys ? `${label}:${nested ? "" : " "}` : label, type: found.keys ? "property" : "enum" }) as Completion);
    return { from: line.from + found.from, options, validFor: /^[\w.$/-]*$/ };
  };
}

/** What a key is for, shown when one points at it. */
export function hover(known: () => Knowledge | undefined) {
  return (view: EditorView, position: number): Tooltip | null => {
    const knowledge = known();
    const line = view.state.doc.lineAt(position);
    const key = /^(\s*(?:- +)*)([\w.$/-]+)\s*:/.exec(line.text);
    const start = line.from + (key?.[1]?.length ?? 0);
    const end = start + (key?.[2]?.length ?? 0);
    if (!knowledge || !key || position < start || position > end) return null;
    const lines = view.state.doc.toString().split("\n");
    const place = placeAt(lines, line.number - 1, end - line.from + 1);
    const [schema, path] = governing(knowledge, lines, [...place.path, key[2] ?? ""], line.number - 1);
    const found = docAt(schema, path);
    if (!found?.doc) return null;
    return {
      pos: start,
      end,
      create: () => {
        const dom = document.createElement("div");
        dom.className = "hover-doc";
        const head = document.createElement("code");
        head.textContent = `${key[2]}${found.type ? `: ${found.type}` : ""}`;
        const text = document.createElement("div");
        text.textContent = found.doc;
        dom.append(head, text);
        return { dom };
      },
    };
  };
}
