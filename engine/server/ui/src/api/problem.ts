// RFC 9457 errors as the server sends them, and everything else that can go wrong with a request in the same form.

export interface ProblemBody {
  title?: string;
  status?: number;
  detail?: string;
  code?: string;
  hint?: string;
  errors?: unknown[];
}

export class ApiError extends Error {
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
  readonly hint: string;
  readonly errors: unknown[];

  constructor(body: ProblemBody, status: number) {
    super(body.detail ?? body.title ?? `the server answered ${status}`);
    this.title = body.title ?? "Error";
    this.status = body.status ?? status;
    this.detail = this.message;
    this.code = body.code ?? `http.${status}`;
    this.hint = body.hint ?? "";
    this.errors = body.errors ?? [];
  }

  /** Whatever was thrown, as one of these. */
  static of(error: unknown): ApiError {
    if (error instanceof ApiError) return error;
    if (error instanceof TypeError) {
      return new ApiError({ title: "Not reachable", detail: "The server does not answer.", code: "ui.unreachable", hint: "Is `twinloom up` still running? The page tries again by itself." }, 0);
    }
    if (typeof error === "object" && error !== null && ("detail" in error || "code" in error)) return new ApiError(error as ProblemBody, (error as ProblemBody).status ?? 0);
    return new ApiError({ title: "Something went wrong", detail: error instanceof Error ? error.message : String(error), code: "ui.error" }, 0);
  }
}
