import { useSyncExternalStore } from "react";
import { ApiError } from "../api/problem";
import type { Tone } from "../lib/states";
import { Icon } from "./Icon";

interface Toast {
  id: number;
  tone: Tone;
  text: string;
}

let toasts: Toast[] = [];
let last = 0;
const listeners = new Set<() => void>();

function set(next: Toast[]) {
  toasts = next;
  for (const one of listeners) one();
}

/** Says something for six seconds. */
export function toast(text: string, tone: Tone = "green") {
  const id = ++last;
  set([...toasts.slice(-3), { id, tone, text }]);
  setTimeout(() => set(toasts.filter((one) => one.id !== id)), 6000);
}

/** Says why a request was refused. */
export function toastError(error: unknown) {
  const problem = ApiError.of(error);
  toast(`${problem.detail}${problem.hint ? ` ${problem.hint}` : ""} (${problem.code})`, "red");
}

export function Toasts() {
  const shown = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => toasts,
  );
  return (
    <div className="toasts" role="status" aria-live="polite">
      {shown.map((one) => (
        <div key={one.id} className={`tone-${one.tone}`}>
          <span>{one.text}</span>
          <button type="button" className="copy" aria-label="dismiss" onClick={() => set(toasts.filter((other) => other !== one))}>
            <Icon name="close" size={13} />
          </button>
        </div>
      ))}
    </div>
  );
}
