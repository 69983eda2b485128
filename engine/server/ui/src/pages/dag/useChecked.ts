import { useEffect, useState } from "react";
import { keepPreviousData } from "@tanstack/react-query";
import { api } from "../../api/client";

/** What the server says of a text a moment after one stopped typing: errors with their places, and the plan. */
export function useChecked(text: string, name: string, params: Record<string, unknown> = {}) {
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), 300);
    return () => clearTimeout(timer);
  }, [text]);
  const answer = api.useQuery("post", "/api/v1/validate", { body: { text: settled, name, params } }, { staleTime: 60_000, gcTime: 60_000, placeholderData: keepPreviousData, enabled: settled !== "" });
  return { ...answer, current: settled === text && !answer.isPlaceholderData };
}
