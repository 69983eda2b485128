// The server counts bytes, the editor counts UTF-16 units.
import type { Schemas } from "../../api/client";

export interface Mark {
  from: number;
  to: number;
  code: string;
  message: string;
  hint: string;
  line: number;
}

/** Where the diagnostics of this text are; an empty place is widened to a character, so that it can be seen. */
export function marks(text: string, diagnostics: Schemas["DiagnosticItem"][], file: string): Mark[] {
  const bytes = new TextEncoder().encode(text);
  const decoder = new TextDecoder();
  const unit = (byte: number) => decoder.decode(bytes.subarray(0, Math.min(byte, bytes.length))).length;
  return diagnostics
    .filter((one) => one.file === file || one.file === "")
    .map((one) => {
      const from = Math.min(unit(one.start), text.length);
      const to = Math.min(Math.max(unit(one.end), from + 1), text.length);
      return { from: Math.min(from, Math.max(0, to - 1)), to, code: one.code, message: one.message, hint: one.hint ?? "", line: one.line };
    });
}
