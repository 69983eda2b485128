import { useState } from "react";
import { Link } from "wouter";
import { api, client, type Schemas } from "../../api/client";
import { to } from "../../lib/address";
import { oneLine } from "../../lib/format";
import { ActButton, useAct } from "../../ui/Act";
import { Section } from "../../ui/Bits";
import { Dialog } from "../../ui/Dialog";
import { Problem } from "../../ui/Notes";
import { Table } from "../../ui/Table";
import { Time } from "../../ui/Time";
import { Outcome } from "../Approvals";
import { Made } from "../Datasets";
import type { PartProps } from "../Model";
import { Figures } from "../Models";

export default function VersionsTab({ model, version }: PartProps) {
  // What people said of each version, by the run that made it.
  const approvals = api.useQuery("get", "/api/v1/approvals", { params: { query: { state: "all", limit: 500 } } });
  const answers = new Map((approvals.data?.items ?? []).map((item) => [item.run, item]));
  return (
    <>
      <Section title="Aliases">
        {model.aliases.length > 0 ? (
          <Table
            label="aliases"
            rows={model.aliases}
            rowKey={(alias) => alias.label}
            columns={[
              { key: "label", head: "Alias", cell: (alias) => <strong>{alias.label}</strong> },
              { key: "version", head: "Version", num: true, cell: (alias) => <Link href={to.model(model.name, alias.version)}>{alias.version}</Link> },
              { key: "by", head: "Moved by", cell: (alias) => alias.by },
              { key: "at", head: "When", cell: (alias) => <Time at={alias.moved_at} /> },
              { key: "why", head: "Why", cell: (alias) => <span className="break">{alias.reason}</span> },
              { key: "back", head: <span className="visually-hidden">Roll back</span>, cell: (alias) => (alias.previous ? <RollBack model={model.name} alias={alias} /> : null) },
            ]}
          />
        ) : (
          <p className="soft">No alias points at this model. A promote step moves one once a person has approved, or point one by hand above.</p>
        )}
      </Section>
      <Section title="Versions">
        <Table
          label="versions"
          rows={model.versions}
          rowKey={(one) => String(one.version)}
          selected={String(version.version)}
          columns={[
            { key: "version", head: "Version", num: true, width: 70, cell: (one) => <Link href={to.model(model.name, one.version)}>{one.version}</Link> },
            { key: "aliases", head: "Aliases", cell: (one) => one.aliases.map((alias) => <span key={alias} className="chip tone-green">{alias}</span>) },
            { key: "base", head: "On", cell: (one) => one.base ?? "–" },
            { key: "metrics", head: "Figures", cell: (one) => <Figures values={one.metrics} most={4} /> },
            { key: "gate", head: "Release", cell: (one) => <Answer item={answers.get(one.run ?? "")} /> },
            { key: "at", head: "Registered", num: true, cell: (one) => <Time at={one.created_at} /> },
            { key: "by", head: "Made by", cell: (one) => <Made run={one.run} task={one.task} /> },
          ]}
        />
      </Section>
      {model.history.length > 0 && (
        <Section title="History of the aliases">
          <ul className="list">
            {model.history.map((event) => (
              <li key={event.id}>
                <Time at={event.at} />
                <span>
                  {event.subject} → {oneLine(event.payload.version)}
                </span>
                <span className="soft break">
                  {typeof event.payload.by === "string" ? `by ${event.payload.by}` : ""}
                  {typeof event.payload.reason === "string" ? `: ${event.payload.reason}` : ""}
                </span>
              </li>
            ))}
          </ul>
        </Section>
      )}
    </>
  );
}

/** Points an alias back. The server knows where it pointed before; this page may be older than its last move. */
function RollBack({ model, alias }: { model: string; alias: Schemas["LabelItem"] }) {
  const [open, setOpen] = useState(false);
  const [reason, setReason] = useState("");
  const { act, busy, error } = useAct();
  const go = () =>
    void act(() => client.POST("/api/v1/models/{model}/aliases/{alias}/rollback", { params: { path: { model, alias: alias.label } }, body: { reason } }), `${alias.label} is rolled back.`).then((done) => done && setOpen(false));
  return (
    <>
      <ActButton need="approve" onClick={() => setOpen(true)}>
        Roll back to {alias.previous}
      </ActButton>
      {open && (
        <Dialog title={`Roll back ${alias.label} of ${model}`} onClose={() => setOpen(false)}>
          <form
            className="section"
            style={{ gap: 14 }}
            onSubmit={(event) => {
              event.preventDefault();
              go();
            }}
          >
            <p>
              <strong>{alias.label}</strong> points at version {alias.version} now and goes back to version {alias.previous}. If somebody moves it meanwhile, it goes back to where it pointed before that.
            </p>
            <div className="field">
              <label htmlFor="back-reason">Why</label>
              <textarea id="back-reason" className="input" rows={2} value={reason} onChange={(event) => setReason(event.target.value)} required />
            </div>
            {error !== undefined && <Problem error={error} />}
            <div className="foot">
              <button type="button" className="btn" onClick={() => setOpen(false)}>
                Leave it
              </button>
              <button type="submit" className="btn primary" disabled={busy || !reason.trim()}>
                {busy ? "Moving…" : "Roll back"}
              </button>
            </div>
          </form>
        </Dialog>
      )}
    </>
  );
}

/** How the question about a version ended, as a link to its evidence. */
function Answer({ item }: { item: Schemas["ApprovalItem"] | undefined }) {
  if (!item) return <span className="soft">not asked</span>;
  return (
    <Link href={to.approval(item.run, item.task)} title={item.question}>
      <Outcome outcome={item.outcome} />
    </Link>
  );
}
