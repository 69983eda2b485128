import { useRef, useState } from "react";
import { Link, useParams } from "wouter";
import { api, client, type Schemas } from "../api/client";
import { to } from "../lib/address";
import { plural } from "../lib/format";
import { figuresOf, Pairs, Report } from "../parts/Report";
import { ActButton, useAct } from "../ui/Act";
import { Facts, Section } from "../ui/Bits";
import { Id } from "../ui/Copy";
import { Loaded, Problem } from "../ui/Notes";
import { Status } from "../ui/Status";
import { Time } from "../ui/Time";
import { Outcome } from "./Approvals";
import { Inputs } from "./model/CompareTab";

type Detail = Schemas["ApprovalDetail"];

export default function Approval() {
  const { run = "", task: given = "" } = useParams<{ run: string; task: string }>();
  // A task of a pipeline has a slash in its id, which the router leaves as %2F.
  const task = decodeURIComponent(given);
  const approval = api.useQuery("get", "/api/v1/approvals/{run}/{task}", { params: { path: { run, task } } });
  return (
    <Loaded of={approval} rows={10}>
      {(data) => (
        <>
          <div className="page-head">
            <h1>{data.question || data.task}</h1>
            <Outcome outcome={data.outcome} />
          </div>
          <Facts
            items={[
              ["DAG", <Link key="d" href={to.dag(data.dag)}>{data.dag}</Link>],
              ["Run", <Id key="r" id={data.run} to={to.run(data.run, "", data.task)} what="run id" />],
              ["Asked", data.approvers.join(", ") || "anyone"],
              ["Needs", `${plural(data.required, "approval")}, has ${data.given}`],
              ["Since", <Time key="s" at={data.opened_at} />],
              ["Without an answer", !data.closed_at && data.expires_at && <span>{data.on_timeout} <Time at={data.expires_at} /></span>],
            ]}
          />
          <Evidence data={data} />
          <Decisions items={data.decisions} since={data.opened_at} />
          {!data.closed_at && <Decide data={data} />}
        </>
      )}
    </Loaded>
  );
}

function Reference({ text, kind }: { text: unknown; kind: "dataset" | "model" }) {
  if (typeof text !== "string") return null;
  const [name = "", version] = text.split("@");
  return <Link href={to.artifact(kind, name, version?.match(/^\d+/)?.[0])}>{text}</Link>;
}

function Evidence({ data }: { data: Detail }) {
  const { candidate, production, report, rows, passed, failed } = data.evidence;
  const figures = figuresOf(rows);
  return (
    <>
      <Section title="Evidence" aside={typeof passed === "boolean" ? <Status state={passed ? "succeeded" : "failed"} word={passed ? "the gate is passed" : "the gate is not passed"} /> : undefined}>
        <Facts
          items={[
            ["Candidate", candidate ? <Reference text={candidate} kind="model" /> : null],
            ["In production", production ? <Reference text={production} kind="model" /> : candidate ? "nothing yet" : null],
            ["Report", report ? <Reference text={report} kind="dataset" /> : null],
          ]}
        />
        {Array.isArray(failed) && failed.length > 0 && <p className="status tone-red" style={{ whiteSpace: "normal" }}>Not passed: {failed.map(String).join(", ")}</p>}
        {figures.length > 0 ? <Report rows={figures} /> : <p className="soft">The step that asks gave no figures. Look at the run before you decide.</p>}
      </Section>
      {data.comparison && (
        <>
          <Section title="Difference to production">
            {data.comparison.metrics.length > 0 && <Pairs rows={data.comparison.metrics} a={data.comparison.a} b={data.comparison.b} />}
            {data.comparison.config.length > 0 && <Pairs head="Configuration" rows={data.comparison.config} a={data.comparison.a} b={data.comparison.b} />}
          </Section>
          <Inputs title="The candidate was made from" items={data.comparison.inputs_b} />
        </>
      )}
    </>
  );
}

/** What was answered before the question was asked again is kept, and does not count for it. */
function Decisions({ items, since }: { items: Detail["decisions"]; since: string }) {
  if (items.length === 0) return null;
  const earlier = (at: string) => Date.parse(at) < Date.parse(since);
  return (
    <Section title="Decisions">
      <ul className="list">
        {items.map((one) => (
          <li key={one.by + one.at}>
            <Status state={one.approved ? "succeeded" : "failed"} word={one.approved ? "approved" : "rejected"} />
            <strong>{one.by}</strong>
            <Time at={one.at} />
            {earlier(one.at) && <span className="soft">in an earlier round, does not count</span>}
            {one.comment && <span className="break">{one.comment}</span>}
          </li>
        ))}
      </ul>
    </Section>
  );
}

/** Stands below the evidence: one passes it on the way. */
function Decide({ data }: { data: Detail }) {
  const [comment, setComment] = useState("");
  const [missing, setMissing] = useState(false);
  const field = useRef<HTMLTextAreaElement>(null);
  const { act, busy, error } = useAct();
  const bad = data.evidence.passed === false;
  const decide = (approved: boolean) => {
    // Against the gate, and against a candidate, the record needs a reason.
    if ((!approved || bad) && !comment.trim()) {
      setMissing(true);
      field.current?.focus();
      return;
    }
    void act(() => client.POST("/api/v1/approvals/{run}/{task}", { params: { path: { run: data.run, task: data.task } }, body: { approved, comment: comment.trim() || null } }), approved ? "Approved." : "Rejected.");
  };
  return (
    <Section title="Your decision">
      {!data.may_decide && <p className="status tone-amber" style={{ whiteSpace: "normal" }}>This question is for {data.approvers.join(", ") || "someone with the role approver"}.</p>}
      <div className="field">
        <label htmlFor="comment">Comment{bad ? ", needed: the gate is not passed" : ", needed to reject"}</label>
        <textarea
          id="comment"
          ref={field}
          className="input"
          rows={3}
          value={comment}
          aria-invalid={missing}
          onChange={(event) => {
            setComment(event.target.value);
            setMissing(false);
          }}
        />
        {missing && <span className="status tone-red small">Say why, for the record.</span>}
      </div>
      {error !== undefined && <Problem error={error} />}
      <div className="bar">
        <ActButton need="approve" className="primary" disabled={busy || !data.may_decide} onClick={() => decide(true)}>
          Approve
        </ActButton>
        <ActButton need="approve" className="danger" disabled={busy || !data.may_decide} onClick={() => decide(false)}>
          Reject
        </ActButton>
      </div>
    </Section>
  );
}
