import { Link } from "wouter";
import { api } from "../../api/client";
import { to } from "../../lib/address";
import { Section } from "../../ui/Bits";
import { Code } from "../../ui/Copy";
import { Loaded } from "../../ui/Notes";
import type { RunDetail } from "../Run";
import { later } from "../../ui/later";

const Editor = later(() => import("../../parts/editor/Editor"));

export default function YamlTab({ run }: { run: RunDetail }) {
  const source = api.useQuery("get", "/api/v1/runs/{run}/source", { params: { path: { run: run.id } } }, { staleTime: Infinity });
  return (
    <Loaded of={source} rows={12}>
      {(data) => (
        <div className="split">
          <Section title="The text that this run ran with" aside={<Link href={to.dag(run.dag, "yaml")}>the file as it is now</Link>}>
            <Editor label={`YAML of run ${run.id}`} value={data.text} height="calc(100dvh - 320px)" />
          </Section>
          <Section title="Parameters">
            <Code text={JSON.stringify(data.params, null, 2)} label="parameters" />
          </Section>
        </div>
      )}
    </Loaded>
  );
}
