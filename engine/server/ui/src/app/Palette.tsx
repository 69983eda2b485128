import { useEffect, useId, useMemo, useRef, useState } from "react";
import { useLocation } from "wouter";
import { api } from "../api/client";
import { to } from "../lib/address";
import { rank } from "../lib/rank";
import { Icon, type IconName } from "../ui/Icon";
import { StateShape } from "../ui/Status";
import { useModal } from "../ui/useModal";
import { PAGES } from "./pages";
import { flipTheme } from "./theme";

interface Entry {
  text: string;
  kind: string;
  icon?: IconName;
  state?: string;
  go?: string;
  act?: () => void;
}

const FRESH = { staleTime: 30_000 };

function useEntries(): Entry[] {
  const dags = api.useQuery("get", "/api/v1/dags", {}, FRESH);
  const runs = api.useQuery("get", "/api/v1/runs", { params: { query: { limit: 50 } } }, FRESH);
  const datasets = api.useQuery("get", "/api/v1/datasets", {}, FRESH);
  const models = api.useQuery("get", "/api/v1/models", {}, FRESH);
  return useMemo(
    () => [
      ...PAGES.map(({ word, path, icon }): Entry => ({ text: word, kind: "page", icon, go: path })),
      ...(dags.data?.items ?? []).flatMap(({ name }): Entry[] => [
        { text: name, kind: "DAG", icon: "dags", go: to.dag(name) },
        { text: `Run ${name}`, kind: "action", icon: "play", go: to.dag(name, "run") },
        { text: `Edit ${name}`, kind: "action", icon: "dags", go: to.dag(name, "yaml") },
      ]),
      ...(datasets.data?.items ?? []).map(({ name }): Entry => ({ text: name, kind: "dataset", icon: "datasets", go: to.dataset(name) })),
      ...(models.data?.items ?? []).map(({ name }): Entry => ({ text: name, kind: "model", icon: "models", go: to.model(name) })),
      ...(runs.data?.items ?? []).map(({ id, dag, state }): Entry => ({ text: `${dag} ${id}`, kind: "run", state, go: to.run(id) })),
      { text: "Switch between dark and light", kind: "action", icon: "moon", act: flipTheme },
    ],
    [dags.data, runs.data, datasets.data, models.data],
  );
}

export function Palette({ onClose }: { onClose: () => void }) {
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const [, go] = useLocation();
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  const entries = useEntries();
  const found = useMemo(() => rank(entries, text, ({ text, kind }) => `${text} ${kind}`).slice(0, 40), [entries, text]);
  const current = Math.min(at, found.length - 1);

  useModal(dialog);
  useEffect(() => {
    document.getElementById(`${id}-${current}`)?.scrollIntoView({ block: "nearest" });
  }, [id, current]);

  const pick = (entry: Entry | undefined) => {
    if (!entry) return;
    onClose();
    if (entry.go) go(entry.go);
    entry.act?.();
  };
  return (
    <dialog
      ref={dialog}
      className="dialog palette"
      aria-label="command palette"
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onMouseDown={(event) => event.target === dialog.current && onClose()}
    >
      <input
        autoFocus
        role="combobox"
        aria-expanded="true"
        aria-controls={`${id}-list`}
        aria-activedescendant={found.length > 0 ? `${id}-${current}` : undefined}
        aria-label="search pages, DAGs, runs, datasets, models and actions"
        placeholder="Go to a page, DAG, run, dataset, model, or do something"
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          setAt(0);
        }}
        onKeyDown={(event) => {
          const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
          if (step) {
            event.preventDefault();
            setAt((current + step + found.length) % Math.max(1, found.length));
          } else if (event.key === "Enter") pick(found[current]);
        }}
      />
      <ul role="listbox" id={`${id}-list`} aria-label="matches">
        {found.map((entry, index) => (
          <li
            key={`${entry.kind} ${entry.text}`}
            id={`${id}-${index}`}
            role="option"
            aria-selected={index === current}
            onMouseMove={() => setAt(index)}
            onClick={() => pick(entry)}
          >
            {entry.state ? <StateShape state={entry.state} /> : entry.icon && <Icon name={entry.icon} />}
            <span className="clip">{entry.text}</span>
            <span className="soft">{entry.kind}</span>
          </li>
        ))}
      </ul>
      {found.length === 0 && <p className="soft" style={{ padding: 16 }}>Nothing matches “{text}”.</p>}
    </dialog>
  );
}
