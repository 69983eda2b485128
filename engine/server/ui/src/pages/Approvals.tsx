import { useMemo } from "react";
import { Link } from "wouter";
import { api, type Schemas } from "../api/client";
import { PAGES, useMore } from "../api/pages";
import { to, useParam } from "../lib/address";
import { plural } from "../lib/format";
import { Segmented } from "../ui/Bits";
import { Code, Id } from "../ui/Copy";
import { Empty, Loaded } from "../ui/Notes";
import { Status } from "../ui/Status";
import { Table, type Column } from "../ui/Table";
import { Time } from "../ui/Time";

type Item = Schemas["ApprovalItem"];

/** How a question ended, in the shapes of states. */
export function Outcome({ outcome }: { outcome: string | null | undefined }) {
  if (!outcome) return <Status state="waiting" word="waiting" />;
  const state = { approved: "succeeded", rejected: "failed", timed_out: "failed", cancelled: "cancelled" }[outcome] ?? "pending";
  return <Status state={state} word={outcome.replace("_", " ")} />;
}

const columns: Column<Item>[] = [
  { key: "state", head: "State", cell: (item) => <Outcome outcome={item.outcome} />, width: 110 },
  { key: "question", head: "Question", cell: (item) => <Link className="break" href={to.approval(item.run, item.task)}>{item.question || item.task}</Link> },
  { key: "run", head: "Run", cell: (item) => <Id id={item.run} to={to.run(item.run)} what="run id" /> },
  { key: "approvers", head: "Asked", cell: (item) => item.approvers.join(", ") || "anyone" },
  { key: "required", head: "Needs", num: true, cell: (item) => plural(item.required, "approval") },
  { key: "opened", head: "Since", num: true, cell: (item) => <Time at={item.opened_at} /> },
  { key: "expires", head: "Ends", num: true, cell: (item) => (item.closed_at ? <>ended <Time at={item.closed_at} /></> : item.expires_at ? <>{item.on_timeout} <Time at={item.expires_at} /></> : "when answered") },
];

const PAGE = 200;

/** Questions page by page. Every page is read again when one of them is answered. */
function useApprovals(state: string) {
  const query = api.useInfiniteQuery("get", "/api/v1/approvals", { params: { query: { state, limit: PAGE } } }, PAGES);
  const items = useMemo(() => query.data?.pages.flatMap((page) => page.items) ?? [], [query.data]);
  return { ...query, items, more: useMore(query) };
}

export default function Approvals() {
  const [state, setState] = useParam("state", "open");
  const approvals = useApprovals(state);
  const { items, more } = approvals;
  return (
    <>
      <div className="page-head">
        <h1>Approvals</h1>
      </div>
      <Segmented
        label="which"
        value={state}
        options={[
          ["open", "Waiting"],
          ["all", "All"],
        ]}
        onChange={setState}
      />
      <Loaded of={approvals} rows={5}>
        {() =>
          items.length > 0 ? (
            <Table key={state} label="approvals" rows={items} columns={columns} rowKey={(item) => `${item.run} ${item.task}`} onEnd={more} />
          ) : state === "open" ? (
            <Empty title="Nothing waits for you">
              <p>A DAG asks a person where it has an approve step. It holds no worker while it waits:</p>
              <Code text={"approve:\n  uses: approve\n  in: {report: evaluate.report}\n  with: {approvers: [role:approver], timeout: 7d, on_timeout: reject}\n"} label="an approve step" />
            </Empty>
          ) : (
            <Empty title="Nobody has been asked yet" />
          )
        }
      </Loaded>
    </>
  );
}
