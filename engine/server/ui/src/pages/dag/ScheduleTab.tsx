import { Link } from "wouter";
import { api, type Schemas } from "../../api/client";
import { to } from "../../lib/address";
import { moment } from "../../lib/format";
import { Facts, Section } from "../../ui/Bits";
import { Code, Id } from "../../ui/Copy";
import { Empty, Loaded } from "../../ui/Notes";
import { Status } from "../../ui/Status";
import { Table, type Column } from "../../ui/Table";
import { Time } from "../../ui/Time";
import { Words } from "../../ui/Words";
import { Hook } from "./Hook";

type Decision = Schemas["DecisionEntry"];

const ON = `on:
  schedule: {cron: "0 6 * * *", timezone: Europe/Berlin, catchup: latest}
  datasets: {any: [articles], debounce: 5m}
`;

const decisions: Column<Decision>[] = [
  { key: "at", head: "When", cell: (one) => <Time at={one.at} />, width: 90 },
  { key: "fired", head: "Fired", cell: (one) => (one.fired ? <Status state="succeeded" word="fired" /> : <Status state="skipped" word="did not fire" />), width: 120 },
  { key: "trigger", head: "Trigger", cell: (one) => <span className="mono">{one.trigger}</span> },
  { key: "reason", head: "Why", cell: (one) => <span className="break"><Words text={one.reason} /></span> },
  { key: "event", head: "Event", num: true, cell: (one) => (one.event ? <Link href={`/events?event=${one.event}`}>{one.event}</Link> : "–") },
  { key: "run", head: "Run", cell: (one) => (one.run ? <Id id={one.run} to={to.run(one.run)} what="run id" /> : "–") },
];

export default function ScheduleTab({ dag }: { dag: Schemas["DagDetail"] }) {
  const path = { dag: dag.name };
  const triggers = api.useQuery("get", "/api/v1/dags/{dag}/triggers", { params: { path } }, { refetchInterval: 5_000 });
  const fires = api.useQuery("get", "/api/v1/dags/{dag}/fires", { params: { path, query: { count: 10 } } });
  const why = api.useQuery("get", "/api/v1/dags/{dag}/decisions", { params: { path } });
  return (
    <>
      <Section title="Triggers" aside={dag.paused ? "paused: none of them starts a run" : "each starts a run on its own"}>
        <Loaded of={triggers} rows={3}>
          {({ items }) =>
            items.length > 0 ? (
              <ul className="list">
                {items.map((one) => (
                  <Trigger key={one.id} trigger={one} dag={dag.name} />
                ))}
              </ul>
            ) : (
              <Empty title="Only people start this DAG">
                <p>
                  Add <code>on:</code> in the <Link href={to.dag(dag.name, "yaml")}>YAML</Link>, for a schedule or for new dataset versions:
                </p>
                <Code text={ON} label="triggers" />
              </Empty>
            )
          }
        </Loaded>
      </Section>
      <Section title="Next times">
        <Loaded of={fires} rows={3}>
          {({ items }) =>
            items.length > 0 ? (
              <ul className="list">
                {items.map((fire) => (
                  <li key={`${fire.at}${fire.why}`}>
                    <Time at={fire.at} />
                    <span>{moment(fire.at)}</span>
                    <span className="soft">{fire.why}</span>
                  </li>
                ))}
              </ul>
            ) : (
              <p className="soft">No time is set: it has no schedule, or its schedule has ended.</p>
            )
          }
        </Loaded>
      </Section>
      <Section title="Why it did and did not run" aside="each event that a trigger looked at">
        <Loaded of={why} rows={4}>
          {({ items }) => (items.length > 0 ? <Table label="decisions of triggers" rows={items} columns={decisions} rowKey={(one) => `${one.trigger} ${one.event ?? ""} ${one.at}`} /> : <p className="soft">No trigger has looked at an event yet.</p>)}
        </Loaded>
      </Section>
    </>
  );
}

function QueueState({ queue }: { queue: Schemas["QueueItem"] }) {
  return (
    <>
      <Status state={queue.connected ? "succeeded" : "failed"} word={queue.connected ? "connected" : "not connected"} /> since <Time at={queue.since} />
    </>
  );
}

function Trigger({ trigger, dag }: { trigger: Schemas["TriggerItem"]; dag: string }) {
  return (
    <li style={{ alignItems: "flex-start" }}>
      <div className="section" style={{ flex: "1 1 320px" }}>
        <div>
          <strong>{trigger.kind}</strong> <Words text={trigger.description} />
        </div>
        <div className="soft"><Words text={trigger.would_take} /></div>
      </div>
      <Facts
        items={[
          ["Queue", trigger.queue && <QueueState key="q" queue={trigger.queue} />],
          ["Last fired", <Time key="t" at={trigger.last_fired_at} none="never" />],
          ["Run", trigger.last_run && <Id id={trigger.last_run} to={to.run(trigger.last_run)} what="run id" />],
        ]}
      />
      {trigger.kind === "webhook" && <Hook dag={dag} secret={String((trigger.condition as Record<string, unknown>).secret ?? "the secret")} />}
      <details style={{ flexBasis: "100%" }}>
        <summary className="soft small">condition and state</summary>
        <Code text={JSON.stringify({ condition: trigger.condition, state: trigger.state }, null, 2)} label="condition and state" />
      </details>
    </li>
  );
}
