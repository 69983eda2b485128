import { Link } from "wouter";
import type { Schemas } from "../../api/client";
import { to } from "../../lib/address";
import { plural } from "../../lib/format";
import { Icon } from "../../ui/Icon";

const OUTCOMES: Record<string, string> = { new: "new version", unchanged: "same content as before", adopted: "was published by an earlier attempt", cached: "from an earlier run" };

export function Outputs({ items }: { items: Schemas["OutputItem"][] }) {
  return (
    <ul className="list">
      {items.map((output) => (
        <li key={`${output.port} ${output.name}`}>
          <Icon name={output.kind === "model" ? "models" : "datasets"} size={14} />
          <Link href={to.artifact(output.kind, output.name, output.version)}>
            {output.name}@{output.version}
          </Link>
          <span className="soft small">
            {output.rows !== null && output.rows !== undefined ? `${plural(output.rows, "row")}, ` : ""}
            {OUTCOMES[output.outcome] ?? output.outcome}
          </span>
        </li>
      ))}
    </ul>
  );
}
