import { useState } from "react";
import { api, client, type Schemas } from "../../api/client";
import { useMay } from "../../api/me";
import { ActButton, useAct } from "../../ui/Act";
import { Code } from "../../ui/Copy";
import { Confirm } from "../../ui/Dialog";
import { Empty, Loaded } from "../../ui/Notes";
import { Status } from "../../ui/Status";
import { Table, type Column } from "../../ui/Table";
import { Time } from "../../ui/Time";
import { Words } from "../../ui/Words";
import { DestinationForm, KINDS, TOLD } from "./DestinationForm";

type Item = Schemas["DestinationItem"];

/** Where it goes, as far as it is no secret. */
function address({ destination }: Item): string {
  if (destination.kind === "email") return destination.to.join(", ");
  return destination.url;
}

const columns: Column<Item>[] = [
  { key: "name", head: "Name", cell: (item) => <strong>{item.name}</strong> },
  { key: "state", head: "State", cell: (item) => <Health item={item} /> },
  { key: "kind", head: "By", cell: (item) => KINDS.find(([kind]) => kind === item.destination.kind)?.[1] ?? item.destination.kind },
  { key: "to", head: "To", cell: (item) => <code className="break">{address(item)}</code> },
  { key: "told", head: "Told when", cell: (item) => TOLD.filter(([event]) => item.destination.events.includes(event)).map(([, words]) => words).join(", ") },
];

function Health({ item }: { item: Item }) {
  if (!item.last_error) return <Status state="succeeded" word="working" />;
  return (
    <span className="break" title={item.last_error}>
      <Status state={item.tries > 0 ? "failed" : "late"} word={item.tries > 0 ? `failed ${item.tries} times` : "gave one up"} />{" "}
      <span className="soft small">
        <Words text={item.last_error} />
        {item.next_at && (
          <>
            ; tried again <Time at={item.next_at} />
          </>
        )}
      </span>
    </span>
  );
}

export default function Notifications() {
  const may = useMay("admin");
  const destinations = api.useQuery("get", "/api/v1/destinations", {}, { enabled: may, refetchInterval: 10_000 });
  const [editing, setEditing] = useState<Item | "new">();
  const [leaving, setLeaving] = useState<Item>();
  const { act, busy } = useAct();
  if (!may) return <Empty title="Only admins see where notifications go" />;
  const acts: Column<Item> = {
    key: "act",
    head: <span className="visually-hidden">Actions</span>,
    cell: (item) => (
      <span className="bar" style={{ flexWrap: "nowrap" }}>
        <ActButton need="admin" onClick={() => setEditing(item)}>
          Change
        </ActButton>
        <ActButton need="admin" className="danger" onClick={() => setLeaving(item)}>
          Remove
        </ActButton>
      </span>
    ),
  };
  return (
    <Loaded of={destinations} rows={4}>
      {({ items }) => (
        <>
          <div>
            <ActButton need="admin" className="primary" onClick={() => setEditing("new")}>
              Add a destination
            </ActButton>
          </div>
          {items.length === 0 ? (
            <Empty title="Nobody is told">
              <p>A failed run, a question that waits for a person and a dataset that is late can be told to a webhook, to Slack or by e-mail. What is secret in an address is named, and set beforehand:</p>
              <Code text="twinloom secret set SLACK_HOOK" label="command" />
            </Empty>
          ) : (
            <Table label="destinations" rows={items} rowKey={(item) => item.name} columns={[...columns, acts]} />
          )}
          {editing && <DestinationForm item={editing === "new" ? undefined : editing} onClose={() => setEditing(undefined)} />}
          {leaving && (
            <Confirm title={`Remove the destination ${leaving.name}?`} verb="Remove it" busy={busy} onClose={() => setLeaving(undefined)} onConfirm={() => void act(() => client.DELETE("/api/v1/destinations/{name}", { params: { path: { name: leaving.name } } }), `${leaving.name} is told nothing any more.`).then(() => setLeaving(undefined))}>
              <p>Nothing is sent to {address(leaving)} from now on, and what waits to be sent again is dropped.</p>
            </Confirm>
          )}
        </>
      )}
    </Loaded>
  );
}
