import { Link } from "wouter";
import { to } from "../../lib/address";
import { bytes, figure } from "../../lib/format";
import { Card } from "../../parts/Card";
import { Facts, Section } from "../../ui/Bits";
import { Code, Id } from "../../ui/Copy";
import { Icon } from "../../ui/Icon";
import { Table } from "../../ui/Table";
import type { PartProps } from "../Model";

export default function VersionTab({ version }: PartProps) {
  return (
    <div className="split">
      <div className="section" style={{ gap: 18 }}>
        <Section title="Figures">
          {Object.keys(version.metrics).length > 0 ? <Facts stack items={Object.entries(version.metrics).map(([name, value]) => [name, figure(value)])} /> : <p className="soft">Its maker reported none.</p>}
        </Section>
        {version.card && (
          <Section title="Card">
            <Card text={version.card} />
          </Section>
        )}
        <Section title="Files">
          <Table
            label="files"
            rows={version.files}
            rowKey={(file) => file.path}
            columns={[
              { key: "path", head: "File", cell: (file) => <code>{file.path}</code> },
              { key: "bytes", head: "Size", num: true, cell: (file) => bytes(file.bytes) },
              { key: "hash", head: "Content", cell: (file) => <Id id={file.hash} what="content hash" /> },
            ]}
          />
        </Section>
      </div>
      <div className="section" style={{ gap: 18 }}>
        <Section title="Trained on">
          {version.inputs.length > 0 ? (
            <ul className="list">
              {version.inputs.map((input) => (
                <li key={`${input.port} ${input.name}`}>
                  <Icon name={input.kind === "model" ? "models" : "datasets"} size={14} />
                  <Link href={to.artifact(input.kind, input.name, input.version)}>
                    {input.name}@{input.version}
                  </Link>
                  <span className="soft small">{input.port}</span>
                </li>
              ))}
            </ul>
          ) : (
            <p className="soft">Nothing that Twinloom knows.</p>
          )}
        </Section>
        <Section title="Configuration">
          <Code text={JSON.stringify(version.config, null, 2)} label="configuration" />
        </Section>
      </div>
    </div>
  );
}
