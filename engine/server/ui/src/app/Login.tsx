import { useState, type FormEvent } from "react";
import { client, queries } from "../api/client";
import { Problem } from "../ui/Notes";

export function Login() {
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setBusy(true);
    setError(undefined);
    client
      .POST("/api/v1/session", { body: { name: String(form.get("name")), password: String(form.get("password")) } })
      .then(() => queries.resetQueries())
      .catch(setError)
      .finally(() => setBusy(false));
  };
  return (
    <main className="page" style={{ maxWidth: 380, margin: "10vh auto 0" }}>
      <h1 className="brand" style={{ padding: 0 }}>
        <img src="/icon.svg" width="28" height="28" alt="" />
        Log in to Twinloom
      </h1>
      <form onSubmit={submit} className="section" style={{ gap: 14 }}>
        <div className="field">
          <label htmlFor="name">Name</label>
          <input className="input" id="name" name="name" autoComplete="username" autoCapitalize="none" required autoFocus />
        </div>
        <div className="field">
          <label htmlFor="password">Password</label>
          <input className="input" id="password" name="password" type="password" autoComplete="current-password" required />
        </div>
        {error !== undefined && <Problem error={error} />}
        <button type="submit" className="btn primary" disabled={busy}>
          {busy ? "Logging in…" : "Log in"}
        </button>
        <p className="soft small">
          No account? An admin makes one under Settings, or on the server with <code>twinloom user create</code>.
        </p>
      </form>
    </main>
  );
}
