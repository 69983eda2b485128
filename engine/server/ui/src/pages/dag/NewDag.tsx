import { useState } from "react";
import { useLocation } from "wouter";
import { parse } from "yaml";
import { client } from "../../api/client";
import { to } from "../../lib/address";
import { FIRST } from "../../parts/first";
import { Workbench } from "../../parts/editor/Workbench";
import { ActButton, useAct } from "../../ui/Act";
import { Problem } from "../../ui/Notes";

function nameIn(text: string): string {
  try {
    const name: unknown = (parse(text) as { name?: unknown } | null)?.name;
    return typeof name === "string" ? name : "";
  } catch {
    return "";
  }
}

export default function NewDag() {
  const [text, setText] = useState(FIRST);
  const [, go] = useLocation();
  const { act, busy, error } = useAct();
  const name = nameIn(text);
  const save = () =>
    void act(async () => {
      await client.PUT("/api/v1/dags/{dag}/source", { params: { path: { dag: name }, header: { "If-None-Match": "*" } }, body: { text } });
      go(to.dag(name));
    }, `${name} is written and loaded.`);
  return (
    <>
      <div className="page-head">
        <h1>New DAG</h1>
      </div>
      {error !== undefined && <Problem error={error} />}
      <Workbench
        name={`${name || "new"}.yaml`}
        text={text}
        onChange={setText}
        onSave={save}
        above={({ valid, checked }) => (
          <div className="bar">
            <span className="soft">It is written into the folder that the server watches.</span>
            <span className="push">
              <ActButton need="operate" className="primary" disabled={busy || !name || !checked || !valid} onClick={save}>
                {busy ? "Creating…" : `Create ${name || "it"}`}
              </ActButton>
            </span>
          </div>
        )}
      />
    </>
  );
}
