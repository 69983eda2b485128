import type { ReactNode } from "react";
import { ApiError } from "../api/problem";
import { CopyButton } from "./Copy";
import { StateShape } from "./Status";
import { Words } from "./Words";

/** A failure with its code, sentence and hint, and what acts on it. */
export function Failure({ failure, title, children }: { failure: { code?: string | null; message?: string | null; hint?: string | null }; title?: ReactNode; children?: ReactNode }) {
  return (
    <div className="note tone-red" role="group" aria-label="error">
      <div className="title status">
        <StateShape state="failed" />
        {title ?? "Failed"}
        {failure.code && (
          <span className="id">
            {failure.code}
            <CopyButton text={failure.code} what="error code" />
          </span>
        )}
      </div>
      {failure.message && (
        <div className="break lines">
          <Words text={failure.message} />
        </div>
      )}
      {failure.hint && (
        <div className="soft">
          <Words text={failure.hint} />
        </div>
      )}
      {children && <div className="bar">{children}</div>}
    </div>
  );
}

/** What a request was refused with. */
export function Problem({ error, retry }: { error: unknown; retry?: () => void }) {
  const problem = ApiError.of(error);
  return (
    <Failure failure={{ code: problem.code, message: problem.detail, hint: problem.hint }} title={problem.title}>
      {retry && (
        <button type="button" className="btn" onClick={retry}>
          Try again
        </button>
      )}
    </Failure>
  );
}

/** An empty page teaches. */
export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <h2>{title}</h2>
      {children}
    </div>
  );
}

export function Skeleton({ height = 14, width = "100%" }: { height?: number; width?: number | string }) {
  return <span className="skeleton" style={{ height, width }} aria-hidden="true" />;
}

/** Rows of the size that the content will have. */
export function Loading({ rows = 6, height = 26 }: { rows?: number; height?: number }) {
  return (
    <div className="section" role="status" aria-label="loading">
      {Array.from({ length: rows }, (_, index) => (
        <Skeleton key={index} height={height} />
      ))}
    </div>
  );
}

interface Asked<T> {
  data: T | undefined;
  error: unknown;
  refetch: () => unknown;
}

/** Loading, error or the content of one request. Old content stays while a repeated request fails. */
export function Loaded<T>({ of, rows, children }: { of: Asked<T>; rows?: number; children: (data: T) => ReactNode }) {
  if (of.data !== undefined) return <>{children(of.data)}</>;
  if (of.error) return <Problem error={of.error} retry={() => void of.refetch()} />;
  return <Loading rows={rows} />;
}
