// The client that openapi-typescript makes of the server's document, with what every request needs.
import { QueryCache, QueryClient } from "@tanstack/react-query";
import createFetch, { type Middleware } from "openapi-fetch";
import createClient from "openapi-react-query";
import { ApiError, type ProblemBody } from "./problem";
import type { components, paths } from "./schema";

export type Schemas = components["schemas"];

let csrf: string | undefined;

/** Writes of a session carry this token. */
export function setCsrf(token: string | null | undefined) {
  csrf = token ?? undefined;
}

function nonce(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

const middleware: Middleware = {
  onRequest({ request }) {
    if (request.method === "GET") return;
    if (csrf) request.headers.set("X-CSRF-Token", csrf);
    if (request.method === "POST") request.headers.set("Idempotency-Key", nonce());
  },
  async onResponse({ response }) {
    if (response.ok || response.status === 304) return;
    const body = (await response
      .clone()
      .json()
      .catch(() => ({}))) as ProblemBody;
    throw new ApiError(body, response.status);
  },
};

export const client = createFetch<paths>({ baseUrl: location.origin, credentials: "same-origin" });
client.use(middleware);

export const api = createClient(client);

export const queries: QueryClient = new QueryClient({
  queryCache: new QueryCache({
    onError(error, query) {
      // The session has ended: ask who we are, which shows the login.
      if (ApiError.of(error).status === 401 && query.queryKey[1] !== "/api/v1/me") void queries.invalidateQueries({ queryKey: ["get", "/api/v1/me"] });
    },
  }),
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      gcTime: 5 * 60_000,
      refetchOnWindowFocus: true,
      retry: (failures, error) => ApiError.of(error).status === 0 && failures < 2,
    },
  },
});
