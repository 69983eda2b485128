// CodeMirror in a shadow root: there it uses constructed style sheets, which a policy without inline styles allows.
import { autocompletion, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { yaml } from "@codemirror/lang-yaml";
import { HighlightStyle, bracketMatching, foldGutter, foldKeymap, indentOnInput, syntaxHighlighting } from "@codemirror/language";
import { lintGutter, lintKeymap, setDiagnostics } from "@codemirror/lint";
import { highlightSelectionMatches, searchKeymap } from "@codemirror/search";
import { EditorState } from "@codemirror/state";
import { EditorView, drawSelection, highlightActiveLine, highlightActiveLineGutter, hoverTooltip, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { useEffect, useImperativeHandle, useRef, type Ref } from "react";
import { completer, hover, type Knowledge } from "./complete";
import type { Mark } from "./spans";

export interface EditorHandle {
  goTo: (line: number) => void;
}

interface Props {
  label: string;
  value: string;
  onChange?: (value: string) => void;
  onSave?: () => void;
  marks?: Mark[];
  knowledge?: Knowledge | undefined;
  height?: string;
  ref?: Ref<EditorHandle>;
}

const colours = syntaxHighlighting(
  HighlightStyle.define([
    { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--blue)" },
    { tag: [tags.string, tags.content], color: "var(--fg)" },
    { tag: tags.comment, color: "var(--fg-soft)", fontStyle: "italic" },
    { tag: [tags.bool, tags.number, tags.null, tags.keyword], color: "var(--teal)" },
    { tag: [tags.meta, tags.labelName, tags.typeName], color: "var(--amber)" },
    { tag: [tags.punctuation, tags.separator, tags.squareBracket, tags.brace], color: "var(--fg-soft)" },
  ]),
);

const look = EditorView.theme({
  "&": { height: "100%", fontSize: "12.5px", color: "var(--fg)", backgroundColor: "var(--bg-sunk)" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.55" },
  ".cm-gutters": { backgroundColor: "var(--bg-soft)", color: "var(--fg-soft)", border: "0" },
  ".cm-activeLine": { backgroundColor: "color-mix(in srgb, var(--bg-hover) 55%, transparent)" },
  ".cm-activeLineGutter": { backgroundColor: "var(--bg-hover)" },
  ".cm-cursor": { borderLeftColor: "var(--fg)" },
  "&.cm-focused": { outline: "2px solid var(--accent)", outlineOffset: "-1px" },
  "&.cm-focused .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "var(--accent-soft)" },
  ".cm-tooltip": { backgroundColor: "var(--bg)", color: "var(--fg)", border: "1px solid var(--line-strong)", borderRadius: "5px", fontFamily: "var(--font)" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--accent)", color: "var(--accent-fg)" },
  ".cm-completionDetail": { color: "var(--fg-soft)", fontStyle: "normal" },
  "li[aria-selected] .cm-completionDetail": { color: "inherit" },
  ".cm-completionInfo": { maxWidth: "320px", padding: "6px 9px" },
  ".hover-doc": { maxWidth: "380px", padding: "6px 9px" },
  ".cm-diagnostic-error": { borderLeftColor: "var(--red)" },
  ".cm-diagnostic": { padding: "5px 9px", maxWidth: "460px", whiteSpace: "pre-wrap" },
  ".cm-panels": { backgroundColor: "var(--bg-soft)", color: "var(--fg)" },
  ".cm-textfield, .cm-button": { background: "var(--bg)", color: "var(--fg)", border: "1px solid var(--line-strong)", borderRadius: "4px" },
  ".cm-searchMatch": { backgroundColor: "var(--mark)" },
});

/** A YAML editor; read-only without `onChange`. */
export default function Editor({ label, value, onChange, onSave, marks, knowledge, height = "60dvh", ref }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(null);
  const now = useRef({ onChange, onSave, knowledge });
  now.current = { onChange, onSave, knowledge };

  useEffect(() => {
    if (!host.current) return;
    const root = host.current.shadowRoot ?? host.current.attachShadow({ mode: "open" });
    const readOnly = !now.current.onChange;
    const editor = new EditorView({
      root,
      parent: root,
      state: EditorState.create({
        doc: value,
        extensions: [
          lineNumbers(),
          foldGutter(),
          lintGutter(),
          history(),
          drawSelection(),
          indentOnInput(),
          bracketMatching(),
          highlightActiveLine(),
          highlightActiveLineGutter(),
          highlightSelectionMatches(),
          yaml(),
          colours,
          look,
          autocompletion({ override: [completer(() => now.current.knowledge)], icons: false }),
          hoverTooltip(hover(() => now.current.knowledge)),
          EditorState.readOnly.of(readOnly),
          EditorState.tabSize.of(2),
          EditorView.contentAttributes.of({ "aria-label": label, tabindex: "0" }),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) now.current.onChange?.(update.state.doc.toString());
          }),
          keymap.of([
            {
              key: "Mod-s",
              run: () => {
                now.current.onSave?.();
                return true;
              },
            },
            // Escape and then Tab leaves the editor, as CodeMirror's keymap has it.
            ...completionKeymap,
            ...searchKeymap,
            ...lintKeymap,
            ...foldKeymap,
            ...historyKeymap,
            ...defaultKeymap,
            indentWithTab,
          ]),
        ],
      }),
    });
    view.current = editor;
    return () => {
      editor.destroy();
      view.current = null;
    };
    // The editor keeps its own text; a new value from outside is put in below.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, []);

  useEffect(() => {
    const editor = view.current;
    if (editor && editor.state.doc.toString() !== value) editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: value } });
  }, [value]);

  useEffect(() => {
    const editor = view.current;
    if (!editor) return;
    const length = editor.state.doc.length;
    const shown = (marks ?? []).filter(({ to }) => to <= length).map(({ from, to, code, message, hint }) => ({ from, to, severity: "error" as const, source: code, message: hint ? `${message}\n${hint}` : message }));
    editor.dispatch(setDiagnostics(editor.state, shown));
  }, [marks]);

  useImperativeHandle(ref, () => ({
    goTo: (line) => {
      const editor = view.current;
      if (!editor) return;
      const at = editor.state.doc.line(Math.min(Math.max(1, line), editor.state.doc.lines));
      editor.dispatch({ selection: { anchor: at.from }, effects: EditorView.scrollIntoView(at.from, { y: "center" }) });
      editor.focus();
    },
  }));
  return <div className="editor" ref={host} style={{ height }} data-testid="editor" />;
}
