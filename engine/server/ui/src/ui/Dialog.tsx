import { useId, useRef, type ReactNode } from "react";
import { useModal } from "./useModal";

/** A modal on the browser's own dialog: it traps the focus, and Esc closes it. */
export function Dialog({ title, onClose, wide, children, className = "" }: { title: string; onClose: () => void; wide?: boolean; className?: string; children: ReactNode }) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  useModal(ref);
  return (
    <dialog
      ref={ref}
      className={`dialog ${wide ? "wide" : ""} ${className}`}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onMouseDown={(event) => event.target === ref.current && onClose()}
    >
      <div className="inner">
        <h2 id={id}>{title}</h2>
        {children}
      </div>
    </dialog>
  );
}

/** Asks before something is destroyed, naming it and what depends on it. */
export function Confirm({ title, verb, children, busy, error, onConfirm, onClose, blocked }: { title: string; verb: string; children: ReactNode; busy?: boolean; error?: ReactNode; blocked?: boolean; onConfirm: () => void; onClose: () => void }) {
  return (
    <Dialog title={title} onClose={onClose}>
      {children}
      {error}
      <div className="foot">
        <button type="button" className="btn" onClick={onClose} autoFocus>
          Keep things as they are
        </button>
        <button type="button" className="btn danger" onClick={onConfirm} disabled={busy || blocked}>
          {busy ? "Working…" : verb}
        </button>
      </div>
    </Dialog>
  );
}
