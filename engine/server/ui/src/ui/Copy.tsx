import { useState } from "react";
import { shortId } from "../lib/format";
import { Icon } from "./Icon";
import { Link } from "wouter";

async function toClipboard(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Pages that are not on loopback or HTTPS have no clipboard API.
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

/** Says for a moment that it was copied. */
export function useCopy(): [boolean, (text: string) => void] {
  const [copied, setCopied] = useState(false);
  return [
    copied,
    (text) => {
      void toClipboard(text).then((done) => {
        setCopied(done);
        setTimeout(() => setCopied(false), 1500);
      });
    },
  ];
}

export function CopyButton({ text, what }: { text: string; what: string }) {
  const [copied, copy] = useCopy();
  return (
    <button type="button" className="copy" onClick={() => copy(text)} aria-label={copied ? "copied" : `copy ${what}`} title={copied ? "copied" : `copy ${what}`}>
      <Icon name={copied ? "approvals" : "copy"} size={13} />
    </button>
  );
}

/** A short id, monospaced; a link where it leads somewhere, and a click copies the whole. */
export function Id({ id, to, what = "id" }: { id: string; to?: string; what?: string }) {
  return (
    <span className="id" title={id}>
      {to ? <Link href={to}>{shortId(id)}</Link> : <span>{shortId(id)}</span>}
      <CopyButton text={id} what={what} />
    </span>
  );
}

/** Text to copy: a command, YAML, JSON. */
export function Code({ text, label = "code" }: { text: string; label?: string }) {
  const [copied, copy] = useCopy();
  return (
    <div className="code">
      <pre tabIndex={0} role="region" aria-label={label}>
        <code>{text}</code>
      </pre>
      <button type="button" className="btn" onClick={() => copy(text)}>
        {copied ? "Copied" : "Copy"}
      </button>
    </div>
  );
}
