import { useState } from "react";
import { api, client, type Schemas } from "../../api/client";
import { to, useParam } from "../../lib/address";
import { moment, plural } from "../../lib/format";
import { ActButton, useAct } from "../../ui/Act";
import { Section } from "../../ui/Bits";
import { Id } from "../../ui/Copy";
import { Empty, Loaded, Problem } from "../../ui/Notes";

/** Local time for a field, from days ago. */
function local(days: number): string {
  const at = new Date(Date.now() - days * 86_400_000);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

export default function BackfillTab({ dag }: { dag: Schemas["DagDetail"] }) {
  const [from, setFrom] = useParam("from", local(7));
  const [until, setUntil] = useParam("to", local(0));
  const [started, setStarted] = useState<string[]>();
  const { act, busy, error } = useAct();
  const scheduled = dag.trigger_states.some(({ kind }) => kind === "schedule");
  const valid = from !== "" && until !== "" && new Date(from) < new Date(until);
  const range = valid ? { from: new Date(from).toISOString(), to: new Date(until).toISOString() } : { from: "", to: "" };
  const preview = api.useQuery("get", "/api/v1/dags/{dag}/backfill", { params: { path: { dag: dag.name }, query: range } }, { enabled: valid && scheduled, staleTime: 30_000 });
  if (!scheduled) {
    return (
      <Empty title="A backfill needs a schedule">
        <p>It runs the times that the schedule would have had in a range. This DAG has none.</p>
      </Empty>
    );
  }
  const go = () =>
    void act(async () => {
      const { data } = await client.POST("/api/v1/dags/{dag}/backfill", { params: { path: { dag: dag.name } }, body: range });
      setStarted(data?.runs ?? []);
    }, "The runs are queued.");
  const fires = preview.data?.fires ?? [];
  const missing = fires.filter(({ run }) => !run).length;
  return (
    <Section title="Run the times of a range" aside="in your zone; at most as many at once as the DAG allows">
      <div className="bar">
        <div className="field">
          <label htmlFor="from">From</label>
          <input id="from" className="input" type="datetime-local" value={from} onChange={(event) => setFrom(event.target.value)} />
        </div>
        <div className="field">
          <label htmlFor="to">To</label>
          <input id="to" className="input" type="datetime-local" value={until} onChange={(event) => setUntil(event.target.value)} />
        </div>
      </div>
      {!valid && <p className="status tone-red">The beginning must be before the end.</p>}
      {valid && (
        <Loaded of={preview} rows={4}>
          {() => (
            <>
              <p>
                <strong>{plural(missing, "run")}</strong> would start{missing < fires.length ? `; ${plural(fires.length - missing, "time has", "times have")} a run already` : ""}:
              </p>
              <ul className="list" style={{ maxHeight: 320, overflow: "auto" }} tabIndex={0} aria-label="times">
                {fires.map((fire) => (
                  <li key={fire.at}>
                    {moment(fire.at)} <span className="soft">{fire.why}</span>
                    {fire.run && (
                      <span className="push">
                        has run <Id id={fire.run} to={to.run(fire.run)} what="run id" />
                      </span>
                    )}
                  </li>
                ))}
                {fires.length === 0 && <li className="soft">The schedule has no time in this range.</li>}
              </ul>
              <div>
                <ActButton need="operate" className="primary" disabled={busy || missing === 0} onClick={go}>
                  {busy ? "Queueing…" : `Start ${plural(missing, "run")}`}
                </ActButton>
              </div>
            </>
          )}
        </Loaded>
      )}
      {error !== undefined && <Problem error={error} />}
      {started && (
        <p className="bar">
          Queued:
          {started.map((run) => (
            <Id key={run} id={run} to={to.run(run)} what="run id" />
          ))}
        </p>
      )}
    </Section>
  );
}
