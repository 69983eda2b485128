import { Code } from "../../ui/Copy";
import { Words } from "../../ui/Words";

/** How a program calls the webhook of a DAG, with the signature made in a shell. */
export function Hook({ dag, secret }: { dag: string; secret: string }) {
  const command = `body='{}'; at=$(date +%s)
sign=$(printf '%s.%s' "$at" "$body" | openssl dgst -sha256 -hmac "$KEY" -r | cut -d ' ' -f 1)
curl -X POST ${location.origin}/api/v1/hooks/${encodeURIComponent(dag)} \\
  -H "Content-Type: application/json" -H "X-Twinloom-Timestamp: $at" \\
  -H "X-Twinloom-Signature: sha256=$sign" -d "$body"`;
  return (
    <details style={{ flexBasis: "100%" }}>
      <summary className="soft small">how to call it</summary>
      <p className="small soft" style={{ padding: "4px 0" }}>
        <Words text={`\`KEY\` holds the value of \`${secret}\`. A request is taken once and within five minutes of its timestamp.`} />
      </p>
      <Code text={command} label="a signed request" />
    </details>
  );
}
