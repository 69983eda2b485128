import { Link } from "wouter";
import type { Schemas } from "../api/client";
import { to } from "../lib/address";
import { changesIn, summary } from "../lib/events";
import { ChangeMarks } from "../ui/Bits";
import { Id } from "../ui/Copy";
import type { Column } from "../ui/Table";
import { Table } from "../ui/Table";
import { Time } from "../ui/Time";

export type EventItem = Schemas["EventItem"];

/** What an event is about, as a link to it. */
export function Subject({ event: { kind, subject, payload } }: { event: EventItem }) {
  const [name = "", label] = subject.split("@");
  const head = kind.split(".")[0];
  if (head === "run") return <Id id={subject} to={to.run(subject)} what="run id" />;
  if (head === "dataset" || head === "freshness") return <Link href={to.dataset(name, label)}>{subject}</Link>;
  if (head === "model") return <Link href={to.model(name, label)}>{subject}</Link>;
  if (head === "alias") return <Link href={payload.kind === "dataset" ? to.dataset(name) : to.model(name)}>{subject}</Link>;
  if (head === "approval") {
    const cut = subject.indexOf("/");
    return <Link href={to.approval(subject.slice(0, cut), subject.slice(cut + 1))}>{subject.slice(cut + 1)}</Link>;
  }
  if (head === "dag" || head === "webhook") return <Link href={to.dag(subject)}>{subject}</Link>;
  return <span className="break">{subject}</span>;
}

const columns: Column<EventItem>[] = [
  { key: "id", head: "Cursor", num: true, cell: (event) => event.id, width: 70 },
  { key: "at", head: "When", cell: (event) => <Time at={event.at} />, width: 90 },
  { key: "kind", head: "Kind", cell: (event) => <span className="mono nowrap">{event.kind}</span> },
  { key: "subject", head: "About", cell: (event) => <Subject event={event} /> },
  {
    key: "payload",
    head: "More",
    cell: (event) => (
      <div className="clip" title={JSON.stringify(event.payload, null, 1)}>
        {summary(event)} {changesIn(event) && <ChangeMarks changes={changesIn(event)} />}
      </div>
    ),
  },
];

export function EventList({ items, onEnd, selected }: { items: EventItem[]; onEnd?: () => void; selected?: string }) {
  return <Table label="events" rows={items} columns={columns} rowKey={(event) => String(event.id)} {...(onEnd ? { onEnd } : {})} {...(selected ? { selected } : {})} />;
}
