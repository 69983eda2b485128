import { useQueries } from "@tanstack/react-query";
import { Link } from "wouter";
import { api } from "../../api/client";
import { to } from "../../lib/address";
import { figuresOf, Report } from "../../parts/Report";
import { Section } from "../../ui/Bits";
import { Empty, Loaded, Loading } from "../../ui/Notes";
import { Status } from "../../ui/Status";
import { Time } from "../../ui/Time";
import type { PartProps } from "../Model";

/** Questions of people about this version, with the report that they had before them. */
export default function GateTab({ version }: PartProps) {
  const approvals = api.useQuery("get", "/api/v1/approvals", { params: { query: { state: "all", limit: 500 } } });
  const runs = new Set([version.producer.run, ...version.results_of.map(({ run }) => run)]);
  const own = (approvals.data?.items ?? []).filter(({ run }) => runs.has(run)).slice(0, 20);
  const details = useQueries({ queries: own.map(({ run, task }) => api.queryOptions("get", "/api/v1/approvals/{run}/{task}", { params: { path: { run, task } } })) });
  const name = `${version.name}@${version.version}`;
  return (
    <Loaded of={approvals} rows={5}>
      {() => {
        if (details.some(({ isLoading }) => isLoading)) return <Loading rows={5} />;
        const about = details.flatMap(({ data }) => (data && (data.evidence.candidate === undefined || String(data.evidence.candidate).startsWith(name)) ? [data] : []));
        if (about.length === 0) {
          return (
            <Empty title="No one has been asked about this version">
              <p>
                An <code>approve</code> step after <code>evaluate</code> asks; see <code>pipelines/release.yaml</code>.
              </p>
            </Empty>
          );
        }
        return about.map((one) => (
          <Section
            key={`${one.run} ${one.task}`}
            title={
              <>
                <Status state={one.outcome === "approved" ? "succeeded" : one.outcome ? "failed" : "waiting"} word={one.outcome ?? "waiting"} /> <Link href={to.approval(one.run, one.task)}>{one.question || one.task}</Link>
              </>
            }
            aside={<Time at={one.closed_at ?? one.opened_at} />}
          >
            {one.decisions.map((decision) => (
              <p key={decision.by + decision.at}>
                <strong>{decision.by}</strong> {decision.approved ? "approved" : "rejected"} <Time at={decision.at} />
                {decision.comment ? `: ${decision.comment}` : ""}
              </p>
            ))}
            <Report rows={figuresOf(one.evidence.rows)} />
          </Section>
        ));
      }}
    </Loaded>
  );
}
