// What a version is made of, and what is made of it.
import { useMemo } from "react";
import { Link } from "wouter";
import type { Schemas } from "../api/client";
import { to, useParam } from "../lib/address";
import { Facts } from "../ui/Bits";
import { Id } from "../ui/Copy";
import { Time } from "../ui/Time";
import type { View } from "./graph/fold";
import { later } from "../ui/later";

const Graph = later(() => import("./graph/Graph"));

export function lineageView(picture: Schemas["LineagePicture"], side: string): View {
  const wanted = (distance: number) => side === "both" || (side === "up" ? distance <= 0 : distance >= 0);
  const nodes = picture.nodes.filter(({ distance }) => wanted(distance));
  const known = new Set(nodes.map(({ key }) => key));
  return {
    nodes: nodes.map((node) => ({ id: node.key, kind: node.kind, label: `${node.name}@${node.version}`, detail: node.producer?.operator ? `by ${node.producer.operator}` : node.kind })),
    edges: picture.edges.filter(({ from, to }) => known.has(from) && known.has(to)).map(({ from, to, port }) => ({ id: `${from}→${to} ${port}`, from, to, label: port })),
    groups: [],
  };
}

export function Lineage({ picture, depth, setDepth }: { picture: Schemas["LineagePicture"]; depth: string; setDepth: (depth: string) => void }) {
  const [side, setSide] = useParam("side", "both");
  const [selected, select] = useParam("node");
  const view = useMemo(() => lineageView(picture, side), [picture, side]);
  const node = picture.nodes.find(({ key }) => key === (selected || picture.root));
  return (
    <div className="section">
      <div className="bar">
        <select className="input" aria-label="direction" value={side} onChange={(event) => setSide(event.target.value)}>
          <option value="both">both ways</option>
          <option value="up">what it is made of</option>
          <option value="down">what is made of it</option>
        </select>
        <label className="check">
          Depth
          <input className="input" type="number" min="1" max="100" value={depth} onChange={(event) => setDepth(event.target.value)} style={{ width: 70 }} />
        </label>
        {picture.truncated && <span className="soft">There is more than this depth shows.</span>}
      </div>
      <Graph label="lineage" view={view} selected={selected || picture.root} onSelect={select} height="max(300px, calc(100dvh - 420px))" />
      {node && (
        <Facts
          items={[
            [
              "Selected",
              <Link key="l" href={to.artifact(node.kind, node.name, node.version)}>
                {node.name}@{node.version}
              </Link>,
            ],
            ["Published", node.created_at && <Time at={node.created_at} />],
            ["Made by", node.producer?.run && <Link href={to.run(node.producer.run, "tasks", node.producer.task)}>{node.producer.task}</Link>],
            ["Operator", node.producer?.operator && `${node.producer.operator} ${node.producer.operator_version}`],
            ["Run", node.producer?.run && <Id id={node.producer.run} to={to.run(node.producer.run)} what="run id" />],
          ]}
        />
      )}
    </div>
  );
}
