import { useMemo } from "react";
import { api } from "../api/client";
import { PAGES, useMore } from "../api/pages";
import { useNewest } from "../api/useNewest";
import { useParam } from "../lib/address";
import { oneLine } from "../lib/format";
import { EventList } from "../parts/EventList";
import { Segmented } from "../ui/Bits";
import { Filter } from "../ui/Filter";
import { Empty, Loaded } from "../ui/Notes";
import { Table } from "../ui/Table";
import { Time } from "../ui/Time";

const KINDS = ["dataset.*", "model.*", "alias.*", "run.*", "approval.*", "dag.*", "trigger.*", "schedule.*", "webhook.*", "queue.*", "freshness.*"];
const NONE: never[] = [];
const olderEvent = (row: { id: number }, last: { id: number }) => row.id < last.id;

export default function Events() {
  const [tab, setTab] = useParam("log", "events");
  return (
    <>
      <div className="page-head">
        <h1>Events</h1>
      </div>
      <Segmented
        label="which log"
        value={tab}
        options={[
          ["events", "Events"],
          ["audit", "Audit"],
        ]}
        onChange={setTab}
      />
      {tab === "audit" ? <Audit /> : <Log />}
    </>
  );
}

function Log() {
  const [kind, setKind] = useParam("kind");
  const [subject, setSubject] = useParam("subject");
  const [event] = useParam("event");
  const query = { limit: 200, kind: kind || undefined, subject: subject || undefined };
  const events = api.useInfiniteQuery("get", "/api/v1/events", { params: { query } }, { ...PAGES, placeholderData: (old) => old, staleTime: Infinity, meta: { still: true } });
  const first = events.isPlaceholderData ? undefined : events.data?.pages[0];
  const newest = api.useQuery("get", "/api/v1/events", { params: { query } }, { enabled: first !== undefined, initialData: first, initialDataUpdatedAt: events.dataUpdatedAt });
  const rows = useNewest(events.data?.pages ?? NONE, first && newest.data, olderEvent, () => void events.refetch());
  const more = useMore(events);
  return (
    <>
      <div className="bar">
        <Filter label="about (begins with)" value={subject} onChange={setSubject} />
        <select className="input" aria-label="kind" value={kind} onChange={(one) => setKind(one.target.value)}>
          <option value="">every kind</option>
          {KINDS.map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
      </div>
      <Loaded of={events} rows={10}>
        {() =>
          rows.length > 0 ? (
            <EventList key={`${kind} ${subject}`} items={rows} onEnd={more} selected={event} />
          ) : (
            <Empty title={kind || subject ? "No event matches" : "No event yet"}>
              <p>Published versions, moved aliases, ended runs, decisions and calls from outside are written here, and triggers follow them.</p>
            </Empty>
          )
        }
      </Loaded>
    </>
  );
}

function Audit() {
  const audit = api.useInfiniteQuery("get", "/api/v1/audit", { params: { query: { limit: 200 } } }, PAGES);
  const rows = useMemo(() => audit.data?.pages.flatMap((page) => page.items) ?? [], [audit.data]);
  const more = useMore(audit);
  return (
    <Loaded of={audit} rows={10}>
      {() =>
        rows.length > 0 ? (
          <Table
            label="audit log"
            rows={rows}
            rowKey={(row) => String(row.id)}
            onEnd={more}
            columns={[
              { key: "at", head: "When", cell: (row) => <Time at={row.at} />, width: 90 },
              { key: "by", head: "Who", cell: (row) => row.by },
              { key: "action", head: "Did", cell: (row) => <code>{row.action}</code> },
              { key: "subject", head: "On", cell: (row) => <span className="break">{row.subject}</span> },
              {
                key: "detail",
                head: "With",
                cell: (row) => (
                  <div className="clip mono soft" title={JSON.stringify(row.detail, null, 1)}>
                    {Object.entries(row.detail)
                      .map(([key, value]) => `${key}: ${oneLine(value)}`)
                      .join("  ")}
                  </div>
                ),
              },
            ]}
          />
        ) : (
          <Empty title="Nobody has changed anything yet">
            <p>Every write is recorded here with who, when and what.</p>
          </Empty>
        )
      }
    </Loaded>
  );
}
