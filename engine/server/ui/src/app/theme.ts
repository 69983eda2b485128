import { useSyncExternalStore } from "react";

const listeners = new Set<() => void>();
export const theme = (): "dark" | "light" => (document.documentElement.dataset.theme === "dark" ? "dark" : "light");

export function flipTheme() {
  const next = theme() === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  try {
    localStorage.setItem("twinloom.theme", next);
  } catch {
    // Storage is off: the choice lasts as long as the page.
  }
  for (const one of listeners) one();
}

export function useTheme() {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    () => theme(),
  );
}
