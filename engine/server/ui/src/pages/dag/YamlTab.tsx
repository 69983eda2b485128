import { useEffect, useState } from "react";
import { api, client, queries, type Schemas } from "../../api/client";
import { useMay } from "../../api/me";
import { ApiError } from "../../api/problem";
import { useParam } from "../../lib/address";
import { Workbench } from "../../parts/editor/Workbench";
import { ActButton, useAct } from "../../ui/Act";
import { Loaded, Problem } from "../../ui/Notes";
import { Status } from "../../ui/Status";

export default function YamlTab({ dag }: { dag: Schemas["DagDetail"] }) {
  const path = { params: { path: { dag: dag.name } } };
  const source = api.useQuery("get", "/api/v1/dags/{dag}/source", path);
  // The DAG is asked for again and again: once its file is another one, so is this.
  const { refetch } = source;
  useEffect(() => void refetch(), [dag.hash, refetch]);
  return (
    <Loaded of={source} rows={12}>
      {(data) => <Edit source={data} key={data.name} />}
    </Loaded>
  );
}

function Edit({ source }: { source: Schemas["DagSource"] }) {
  const may = useMay("operate");
  const [text, setText] = useState(source.text);
  /** The text that was loaded, with its hash: what a change replaces. */
  const [base, setBase] = useState(source);
  /** What a save has just replaced, until the file is read again. */
  const [replaced, setReplaced] = useState("");
  const [line] = useParam("line");
  const { act, busy, error, clear } = useAct();
  const changed = text !== base.text;
  // The file changed on disk: take it over where nothing was typed, else say so.
  const moved = source.hash !== base.hash && source.hash !== replaced;
  useEffect(() => {
    if (moved && !changed) {
      setBase(source);
      setText(source.text);
    }
  }, [moved, changed, source]);
  useEffect(() => {
    if (!changed) return;
    const stay = (event: BeforeUnloadEvent) => event.preventDefault();
    window.addEventListener("beforeunload", stay);
    return () => window.removeEventListener("beforeunload", stay);
  }, [changed]);

  const save = () =>
    void act(async () => {
      try {
        const { data } = await client.PUT("/api/v1/dags/{dag}/source", { params: { path: { dag: source.name }, header: { "If-Match": `"${base.hash}"` } }, body: { text } });
        if (data) {
          setReplaced(base.hash);
          setBase(data);
        }
      } finally {
        // After a conflict too: what stands in the file now is what one chooses between.
        await queries.invalidateQueries({ queryKey: ["get", "/api/v1/dags/{dag}/source"] });
        setReplaced("");
      }
    }, "Saved. Runs that are under way keep the text that they started with.");
  const conflict = moved && error !== undefined && ApiError.of(error).status === 412;
  return (
    <>
      {moved && changed && (
        <div className="note tone-amber" role="alert">
          <div className="title">The file has changed on disk since you opened it</div>
          <div className="bar">
            <button
              type="button"
              className="btn"
              onClick={() => {
                setBase(source);
                setText(source.text);
                clear();
              }}
            >
              Take the file, drop my changes
            </button>
            <button type="button" className="btn" onClick={() => (setBase(source), clear())}>
              Keep mine, replace it when I save
            </button>
          </div>
        </div>
      )}
      {error !== undefined && !conflict && <Problem error={error} />}
      <Workbench
        name={source.path || `${source.name}.yaml`}
        text={text}
        onChange={may ? setText : undefined}
        onSave={save}
        line={Number(line) || 0}
        above={({ valid, checked }) => (
          <div className="bar">
            <code>{source.path}</code>
            {checked && <Status state={valid ? "succeeded" : "failed"} word={valid ? "valid" : "has errors"} />}
            {changed && <span className="soft small">not saved</span>}
            <span className="bar push">
              <button type="button" className="btn" disabled={!changed} onClick={() => setText(base.text)}>
                Undo all
              </button>
              <ActButton need="operate" className="primary" disabled={!changed || busy || (checked && !valid)} title={checked && !valid ? "Mend the errors first." : "Ctrl+S"} onClick={save}>
                {busy ? "Saving…" : "Save"}
              </ActButton>
            </span>
          </div>
        )}
      />
    </>
  );
}
