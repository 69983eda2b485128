import { useState, type ReactNode } from "react";
import { ROLE_FOR, useMay, type Permission } from "../api/me";
import { queries } from "../api/client";
import { toast, toastError } from "./Toasts";

/** Does something on the server: says that it is at work, what came of it, and reads again what is on the page. */
export function useAct(): { busy: boolean; error: unknown; act: (work: () => Promise<unknown>, done?: string) => Promise<boolean>; clear: () => void } {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  return {
    busy,
    error,
    clear: () => setError(undefined),
    act: async (work, done) => {
      setBusy(true);
      setError(undefined);
      try {
        await work();
        if (done) toast(done);
        void queries.invalidateQueries();
        return true;
      } catch (caught) {
        setError(caught);
        toastError(caught);
        return false;
      } finally {
        setBusy(false);
      }
    },
  };
}

interface Props {
  need: Permission;
  onClick: () => void;
  children: ReactNode;
  className?: string;
  disabled?: boolean;
  title?: string;
}

/** A button for those who may; others see it with the role that it needs. */
export function ActButton({ need, onClick, children, className = "", disabled, title }: Props) {
  const may = useMay(need);
  return (
    <button
      type="button"
      className={`btn ${className}`}
      aria-disabled={!may || undefined}
      disabled={may && disabled}
      title={may ? title : `This needs the role ${ROLE_FOR[need]}.`}
      onClick={() => may && onClick()}
    >
      {children}
    </button>
  );
}
