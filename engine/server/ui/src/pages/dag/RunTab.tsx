import { useMemo, useState } from "react";
import { useLocation } from "wouter";
import type { RJSFSchema } from "@rjsf/utils";
import { client, type Schemas } from "../../api/client";
import { to } from "../../lib/address";
import { runCommand } from "../../lib/command";
import { ActButton, useAct } from "../../ui/Act";
import { Section } from "../../ui/Bits";
import { Code } from "../../ui/Copy";
import { Problem } from "../../ui/Notes";
import { later, preloadIdle } from "../../ui/later";

const ParamsForm = later(() => import("../../parts/ParamsForm"));
preloadIdle([ParamsForm]);

/** The defaults that a schema states. */
export function defaultsOf(schema: RJSFSchema): Record<string, unknown> {
  const entries = Object.entries(schema.properties ?? {}).flatMap(([name, one]) => (typeof one === "object" && one.default !== undefined ? [[name, one.default] as const] : []));
  return Object.fromEntries(entries);
}

export default function RunTab({ dag }: { dag: Schemas["DagDetail"] }) {
  // A file that was never valid has no parameters yet.
  const schema = useMemo(() => (dag.params_schema ?? {}) as RJSFSchema, [dag.params_schema]);
  const defaults = useMemo(() => defaultsOf(schema), [schema]);
  const [params, setParams] = useState<Record<string, unknown>>(defaults);
  const [wrong, setWrong] = useState<string[]>([]);
  const [, go] = useLocation();
  const { act, busy, error } = useAct();
  const empty = Object.keys(schema.properties ?? {}).length === 0;
  const start = () =>
    void act(async () => {
      const { data } = await client.POST("/api/v1/dags/{dag}/runs", { params: { path: { dag: dag.name } }, body: { params } });
      if (data) go(to.run(data.run));
    }, `${dag.name} is started.`);
  return (
    <div className="split">
      <Section title="Parameters">
        {empty ? (
          <p className="soft">This DAG has no parameters.</p>
        ) : (
          <ParamsForm schema={schema} value={params} onChange={setParams} onWrong={setWrong} />
        )}
        {error !== undefined && <Problem error={error} />}
        <div className="bar">
          <ActButton need="operate" className="primary" disabled={busy || wrong.length > 0 || !dag.valid} title={dag.valid ? undefined : "The file has errors."} onClick={start}>
            {busy ? "Starting…" : `Run ${dag.name}`}
          </ActButton>
          {wrong.length > 0 && (
            <span className="status tone-red" role="status">
              Mend first: {wrong.join(", ")}
            </span>
          )}
        </div>
      </Section>
      <Section title="The same from a shell">
        <Code text={runCommand(dag.path, params, defaults, location.origin)} label="command" />
      </Section>
    </div>
  );
}
