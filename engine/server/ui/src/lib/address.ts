// The address holds all state: filters, tab, selection.
import { useCallback } from "react";
import { useLocation, useSearchParams } from "wouter";

/** A parameter of the address; the default is left out of it. */
export function useParam(key: string, usual = ""): [string, (value: string) => void] {
  const [params, setParams] = useSearchParams();
  const set = useCallback(
    (value: string) =>
      setParams(
        (old) => {
          const next = new URLSearchParams(old);
          if (value === usual) next.delete(key);
          else next.set(key, value);
          return next;
        },
        { replace: true },
      ),
    [key, usual, setParams],
  );
  return [params.get(key) ?? usual, set];
}

/** Takes several parameters out of the address at once. */
export function useReset(): (keys: string[]) => void {
  const [, setParams] = useSearchParams();
  return useCallback(
    (keys: string[]) =>
      setParams(
        (old) => {
          const next = new URLSearchParams(old);
          for (const key of keys) next.delete(key);
          return next;
        },
        { replace: true },
      ),
    [setParams],
  );
}

const part = encodeURIComponent;
export const to = {
  dag: (name: string, tab = "") => `/dags/${part(name)}${tab && `/${tab}`}`,
  run: (id: string, tab = "", task = "") => `/runs/${part(id)}${tab && `/${tab}`}${task && `?task=${part(task)}`}`,
  dataset: (name: string, version?: number | string | null, tab = "") => `/datasets/${part(name)}${tab && `/${tab}`}${version ? `?version=${version}` : ""}`,
  model: (name: string, version?: number | string | null, tab = "") => `/models/${part(name)}${tab && `/${tab}`}${version ? `?version=${version}` : ""}`,
  approval: (run: string, task: string) => `/approvals/${part(run)}/${part(task)}`,
  artifact: (kind: string, name: string, version?: number | string | null) => (kind === "model" ? to.model(name, version) : to.dataset(name, version)),
};

/** This address with one parameter changed: for links that must not lose the order and filters of a page. */
export function useHere(): (key: string, value: string) => string {
  const [params] = useSearchParams();
  const [path] = useLocation();
  return (key, value) => {
    const next = new URLSearchParams(params);
    if (value) next.set(key, value);
    else next.delete(key);
    const text = next.toString();
    return text ? `${path}?${text}` : path;
  };
}
