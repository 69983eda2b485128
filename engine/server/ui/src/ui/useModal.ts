import { useLayoutEffect, type RefObject } from "react";

/** Shows a dialog as a modal for as long as it stands, and gives the focus back to what had it before. */
export function useModal(ref: RefObject<HTMLDialogElement | null>) {
  // A layout effect: its end comes before the dialog is taken out of the page, and what is out cannot give anything back.
  useLayoutEffect(() => {
    const dialog = ref.current;
    const before = document.activeElement;
    if (dialog && !dialog.open) dialog.showModal();
    return () => {
      dialog?.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, [ref]);
}
