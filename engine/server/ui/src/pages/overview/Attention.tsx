import { Link } from "wouter";
import { client, type Schemas } from "../../api/client";
import { to } from "../../lib/address";
import { ActButton, useAct } from "../../ui/Act";
import { Section } from "../../ui/Bits";
import { Id } from "../../ui/Copy";
import { Status } from "../../ui/Status";
import { Time } from "../../ui/Time";
import { Words } from "../../ui/Words";

type Data = Schemas["Overview"];

/** What failed and what is late, with what can be done about it. */
export function Bad({ data: { failed, late } }: { data: Data }) {
  const { act, busy } = useAct();
  if (failed.length + late.length === 0) return null;
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
            <span className="break" style={{ flex: "1 1 260px" }}>
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
