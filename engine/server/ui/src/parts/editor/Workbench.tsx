// The editor with its errors and the plan beside it.
import { useEffect, useMemo, useRef, type ReactNode } from "react";
import { api } from "../../api/client";
import { plural } from "../../lib/format";
import { useChecked } from "../../pages/dag/useChecked";
import { Section } from "../../ui/Bits";
import { Loading, Problem } from "../../ui/Notes";
import { Status } from "../../ui/Status";
import type { EditorHandle } from "./Editor";
import type { JsonSchema } from "./schema";
import { marks } from "./spans";
import { Words } from "../../ui/Words";
import { later, preloadIdle } from "../../ui/later";

const Editor = later(() => import("./Editor"));
preloadIdle([Editor]);

interface Props {
  name: string;
  text: string;
  onChange?: ((text: string) => void) | undefined;
  onSave?: (() => void) | undefined;
  line?: number;
  above: (state: { valid: boolean; checked: boolean }) => ReactNode;
}

export function Workbench({ name, text, onChange, onSave, line, above }: Props) {
  const checked = useChecked(text, name);
  const schema = api.useQuery("get", "/api/v1/schema/dag", {}, { staleTime: Infinity });
  const operators = api.useQuery("get", "/api/v1/operators", {}, { staleTime: Infinity });
  const editor = useRef<EditorHandle>(null);
  const diagnostics = checked.data?.diagnostics ?? [];
  const places = useMemo(() => (checked.current ? marks(text, diagnostics, name) : []), [checked.current, checked.data, text, name]);
  const knowledge = useMemo(() => (schema.data && operators.data ? { schema: schema.data as JsonSchema, operators: operators.data.items } : undefined), [schema.data, operators.data]);
  useEffect(() => {
    if (!line) return;
    const timer = setTimeout(() => editor.current?.goTo(line), 200);
    return () => clearTimeout(timer);
  }, [line]);
  const plan = checked.data?.plan;
  return (
    <div className="split">
      <div className="section">
        {above({ valid: checked.data?.valid ?? false, checked: checked.current && checked.data !== undefined })}
        <Editor ref={editor} label={`YAML of ${name}`} value={text} onChange={onChange} onSave={onSave} marks={places} knowledge={knowledge} height="max(320px, calc(100dvh - 350px))" />
      </div>
      <div className="section" aria-live="polite">
        {checked.error ? (
          <Problem error={checked.error} retry={() => void checked.refetch()} />
        ) : !checked.data ? (
          <Loading rows={5} />
        ) : diagnostics.length > 0 ? (
          <Section title={plural(diagnostics.length, "error")}>
            <ul className="list" data-testid="diagnostics">
              {diagnostics.map((one, index) => (
                <li key={index} style={{ display: "block" }}>
                  <button type="button" className="btn quiet" onClick={() => editor.current?.goTo(one.line)}>
                    {one.file === name || one.file === "" ? "" : `${one.file}, `}line {one.line}, column {one.column}
                  </button>
                  <span className="mono soft"> {one.code}</span>
                  <div className="break">
                    <Words text={one.message} />
                  </div>
                  {one.hint && (
                    <div className="soft break">
                      <Words text={one.hint} />
                    </div>
                  )}
                </li>
              ))}
            </ul>
          </Section>
        ) : (
          <Section title="Plan" aside={plan ? `${plural(plan.length, "task")} with the default parameters` : undefined}>
            {plan ? (
              <ul className="list" style={{ maxHeight: "calc(100dvh - 350px)", overflow: "auto" }} tabIndex={0} aria-label="plan">
                {plan.map((one) => (
                  <li key={one.task} style={{ display: "block" }}>
                    <div className="bar" style={{ justifyContent: "space-between" }}>
                      <span className="break">{one.task}</span>
                      <Would would={one.would} />
                    </div>
                    <div className="soft small break"><Words text={one.why} /></div>
                  </li>
                ))}
              </ul>
            ) : (
              <p>
                <Status state="succeeded" word="valid" />
              </p>
            )}
          </Section>
        )}
      </div>
    </div>
  );
}

/** What a task would do, in the shapes of states. */
function Would({ would }: { would: string }) {
  const state = { run: "queued", cached: "cached", skip: "skipped", skipped: "skipped", unknown: "pending" }[would] ?? "pending";
  return <Status state={state} word={would === "run" ? "would run" : would} />;
}
