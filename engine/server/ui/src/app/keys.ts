import { useEffect, useRef } from "react";
import { useLocation } from "wouter";
import { PAGES } from "./pages";

/** Whether what is typed goes into a field. The editor lives in a shadow root, so the event's whole path is looked at. */
function typing(event: KeyboardEvent): boolean {
  const target = event.composedPath()[0];
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

/** `/`, `?`, `g x` and Ctrl+K, wherever nobody types and no dialog is open. */
export function useKeys({ palette, help }: { palette: () => void; help: () => void }) {
  const [, go] = useLocation();
  const acts = useRef({ palette, help });
  acts.current = { palette, help };
  useEffect(() => {
    let after = 0;
    const onKey = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        acts.current.palette();
        return;
      }
      if (event.ctrlKey || event.metaKey || event.altKey || typing(event) || document.querySelector("dialog[open]")) return;
      if (Date.now() - after < 1200) {
        after = 0;
        const page = PAGES.find(({ key }) => key === event.key);
        if (page) {
          event.preventDefault();
          go(page.path);
        }
        return;
      }
      if (event.key === "g") after = Date.now();
      else if (event.key === "?") acts.current.help();
      else if (event.key === "/") {
        event.preventDefault();
        const field = document.querySelector<HTMLInputElement>("main [data-search]");
        if (field) field.select();
        else acts.current.palette();
      }
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, [go]);
}
