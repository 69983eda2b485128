import { Link } from "wouter";
import { client, type Schemas } from "../../api/client";
import { to } from "../../lib/address";
import { plural } from "../../lib/format";
import { ActButton, useAct } from "../../ui/Act";
import { Section } from "../../ui/Bits";
import { Id } from "../../ui/Copy";
import { Status } from "../../ui/Status";
import { Time } from "../../ui/Time";
import { Words } from "../../ui/Words";

type Data = Schemas["Overview"];

/** A sentence takes the rest of its line, or one of its own. */
const WIDE = { flex: "1 1 260px" };

/** Whether files, triggers, queues and destinations are in order. */
export function troubled({ broken, trigger_failures, queues, destinations }: Data): boolean {
  return broken.length + trigger_failures.length + queues.length + destinations.length > 0;
}

/** What failed and what is late, with what can be done about it. */
export function Bad({ data }: { data: Data }) {
  const { act, busy } = useAct();
  const { failed, late } = data;
  if (failed.length + late.length === 0 && !troubled(data)) return null;
  return (
    <Section title="Failing and late">
      <ul className="list">
        {failed.map((run) => (
          <li key={run.id}>
            <Status state={run.state} />
            <Link href={to.dag(run.dag)}>{run.dag}</Link>
            <Id id={run.id} to={to.run(run.id)} what="run id" />
            <span className="soft">
              <Time at={run.ended_at} />
            </span>
            <span className="break" style={WIDE}>
              {run.error?.task && <strong>{run.error.task}: </strong>}
              <Words text={run.error?.message ?? "It failed."} />{" "}
              <span className="soft">
                <Words text={run.error?.hint ?? ""} />
              </span>
            </span>
            <span className="bar push">
              {run.error?.task && (
                <Link className="btn" href={to.run(run.id, "logs", run.error.task)}>
                  Log
                </Link>
              )}
              <ActButton need="operate" disabled={busy} onClick={() => void act(() => client.POST("/api/v1/runs/{run}/retry", { params: { path: { run: run.id } }, body: {} }), "Trying again.")}>
                Retry
              </ActButton>
            </span>
          </li>
        ))}
        <Broken items={data.broken} />
        <Triggers items={data.trigger_failures} />
        <Queues items={data.queues} />
        <Destinations items={data.destinations} />
        {late.map((item) => (
          <li key={item.dataset}>
            <Status state="late" />
            <Link href={to.dataset(item.dataset)}>{item.dataset}</Link>
            <span>
              newest version <Time at={item.newest_at} none="never" />, was due <Time at={item.deadline} />
            </span>
            {item.dag && (
              <span className="bar push">
                <Link className="btn" href={to.dag(item.dag, "run")}>
                  Run {item.dag}
                </Link>
              </span>
            )}
          </li>
        ))}
      </ul>
    </Section>
  );
}

function Broken({ items }: { items: Data["broken"] }) {
  return items.map((one) => {
    const line = one.file === one.path ? `?line=${one.line}` : "";
    return (
      <li key={one.dag}>
        <Status state="failed" word={plural(one.errors, "error")} />
        <Link href={to.dag(one.dag)}>{one.dag}</Link>
        <span className="break" style={WIDE}>
          <Words text={one.message} /> <span className="soft">{one.in_force ? "What was loaded before stays in force." : "Nothing of the file is loaded."}</span>
        </span>
        <Link className="btn push" href={`${to.dag(one.dag, "yaml")}${line}`}>
          {line ? `Line ${one.line}` : one.file}
        </Link>
      </li>
    );
  });
}

function Triggers({ items }: { items: Data["trigger_failures"] }) {
  return items.map((one) => (
    <li key={one.event}>
      <Status state="failed" word="not started" />
      <Link href={to.dag(one.dag)}>{one.dag}</Link>
      <span className="soft">
        <Time at={one.at} />
      </span>
      <span className="break" style={WIDE}>
        <Words text={one.reason} />
      </span>
      <Link className="btn push" href={to.dag(one.dag, "schedule")}>
        Why
      </Link>
    </li>
  ));
}

function Queues({ items }: { items: Data["queues"] }) {
  return items.map((one) => (
    <li key={`${one.name} ${one.dags.join()}`}>
      <Status state="failed" word="not connected" />
      <span>
        queue <span className="mono">{one.name}</span>
      </span>
      <span className="soft">
        since <Time at={one.since} />
      </span>
      <span className="break" style={WIDE}>
        <Words text={one.error} />
      </span>
      <span className="bar push">
        {one.dags.map((dag) => (
          <Link key={dag} className="btn" href={to.dag(dag, "schedule")}>
            {dag}
          </Link>
        ))}
      </span>
    </li>
  ));
}

function Destinations({ items }: { items: Data["destinations"] }) {
  return items.map((one) => (
    <li key={one.name}>
      <Status state="failed" word="not told" />
      <span>
        destination <span className="mono">{one.name}</span>
      </span>
      <span className="break" style={WIDE}>
        <Words text={one.error} />
        <span className="soft">{one.next_at ? <>; tried again <Time at={one.next_at} /></> : "; given up, and tried with the next event"}</span>
      </span>
      <Link className="btn push" href="/settings/notifications">
        Look at it
      </Link>
    </li>
  ));
}

/** What waits for a person. */
export function Waiting({ items }: { items: Data["waiting"] }) {
  if (items.length === 0) return null;
  return (
    <Section title="Waiting for approval">
      <ul className="list">
        {items.map((item) => (
          <li key={`${item.run} ${item.task}`}>
            <Status state="waiting" word="waiting" />
            <Link href={to.approval(item.run, item.task)}>{item.question || item.task}</Link>
            <Id id={item.run} to={to.run(item.run)} what="run id" />
            <span className="soft">
              <Time at={item.opened_at} />
              {item.expires_at && (
                <>
                  ; without an answer: {item.on_timeout} <Time at={item.expires_at} />
                </>
              )}
            </span>
            <Link className="btn push" href={to.approval(item.run, item.task)}>
              Look at the evidence
            </Link>
          </li>
        ))}
      </ul>
    </Section>
  );
}
