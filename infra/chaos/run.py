#!/usr/bin/env python3
"""Kills the server, its workers and PostgreSQL at random under load, then counts what was lost or doubled.

    infra/chaos/run.py --minutes 30                        SQLite
    infra/chaos/run.py --minutes 30 --postgres             a PostgreSQL of its own, killed too
    infra/chaos/run.py --minutes 1 --seed 7 --rate 4       short, repeatable draws, 4 runs a second

A DAG publishes a version of `ticks` a run; a second one runs for every version. At the end the server is left in peace
until nothing runs, and these must hold: every run that was asked for is there once and succeeded; `ticks` holds every
tick once, its versions without a gap; one event a version; one triggered run an event; no process left behind.
Prints the counts as one JSON line and exits with 1 where one of them is wrong.
"""
import argparse
import collections
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
POSTGRES = ROOT / "infra" / "test-servers" / "postgres.sh"

PUBLISH = """apiVersion: twinloom/v1
kind: Dag
name: publish
params: {tick: {type: string}}
concurrency: {max_runs: 8, when_busy: queue}
defaults: {retries: {max: 20, backoff: constant, initial: 100ms, max_delay: 1s}, timeout: 1m}
steps:
  tick:
    uses: command
    executor: process
    with:
      argv: [/bin/sh, -c, 'sleep 0.2; echo "tick" > "$TWINLOOM_OUTPUT_DIR/ticks.csv"; echo "$TICK" >> "$TWINLOOM_OUTPUT_DIR/ticks.csv"']
      env: {TICK: "${{ params.tick }}"}
      keys: {ticks: [tick]}
    out: {ticks: ticks}
"""

FOLLOW = """apiVersion: twinloom/v1
kind: Dag
name: follow
on:
  datasets: {any: [ticks]}
concurrency: {max_runs: 8, when_busy: queue}
defaults: {retries: {max: 20, backoff: constant, initial: 100ms, max_delay: 1s}, timeout: 1m}
steps:
  note:
    uses: command
    executor: process
    cache: false
    with: {argv: [/bin/sh, -c, 'sleep 0.1']}
"""


def say(text: str) -> None:
    print(f"[chaos] {text}", file=sys.stderr, flush=True)


class Server:
    """The server under test; started again after each kill."""

    def __init__(self, binary: Path, home: Path, database: str | None):
        self.home, self.process, self.starts = home, None, 0
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.command = [str(binary), "--home", str(home / "home"), *(["--database", database] if database else []),
                        "up", "--port", str(self.port), "--dags", str(home / "dags")]

    def start(self) -> None:
        self.starts += 1
        log = open(self.home / "server.log", "ab")
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.home)

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.kill()

    def call(self, method: str, path: str, body=None, key: str | None = None):
        headers = {"content-type": "application/json", **({"idempotency-key": key} if key else {})}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method, headers=headers,
                                         data=None if body is None else json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def ready(self, seconds: float = 60) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if not self.alive():
                self.start()
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=2)
                return
            except (OSError, urllib.error.URLError):
                time.sleep(0.05)
        raise SystemExit(f"the server was not ready within {seconds} s: see {self.home / 'server.log'}")

    def items(self, path: str) -> list:
        """All pages of a list."""
        rows, cursor = [], ""
        while cursor is not None:
            page = self.call("GET", f"{path}{'&' if '?' in path else '?'}limit=200{cursor}")
            rows += page["items"]
            cursor = f"&cursor={page['next_cursor']}" if page.get("next_cursor") else None
        return rows


class Postgres:
    """A PostgreSQL of this run's own."""

    def __init__(self, folder: Path):
        self.env = {**os.environ, "TWINLOOM_TEST_SERVERS": str(folder)}
        self.data = folder / "postgres" / "data"
        out = subprocess.run([POSTGRES, "start"], env=self.env, check=True, stdout=subprocess.PIPE, text=True).stdout
        self.url = re.search(r"TWINLOOM_TEST_POSTGRES_URL=(\S+)", out)[1]
        self.port = self.url.rsplit(":", 1)[1].split("/")[0]
        self.control = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))[-1]

    def _run(self, *arguments: str) -> None:
        owner = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
        subprocess.run([*owner, self.control, "-D", self.data, *arguments], cwd="/", check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def kill(self) -> None:
        self._run("-m", "immediate", "stop")
        time.sleep(random.uniform(0, 2))
        state = self.data.parent
        self._run("-l", str(state / "log"), "-w", "-o", f"-p {self.port} -c listen_addresses=127.0.0.1 "
                  f"-c unix_socket_directories={state} -c fsync=on -c max_connections=200", "start")

    def stop(self) -> None:
        subprocess.run([POSTGRES, "stop"], env=self.env, check=False)


def descendants(server: Server) -> list[int]:
    """Processes that carry this run's home in their command line or environment, but the server and PostgreSQL."""
    mark, found = str(server.home).encode(), []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes():
                pid = int(folder.name)
                if pid != os.getpid() and (not server.alive() or pid != server.process.pid) and not in_postgres(pid):
                    found.append(pid)
        except OSError:
            continue
    return found


def load(server: Server, postgres: Postgres | None, minutes: float, rate: float) -> tuple[int, collections.Counter]:
    """Asks for runs and kills, for so long; a run that was not confirmed is asked for again under the same key."""
    kills, asked = collections.Counter(), 0
    end, next_kill = time.monotonic() + minutes * 60, time.monotonic() + 3
    said = time.monotonic()
    while time.monotonic() < end:
        asked += 1
        while True:
            try:
                server.call("POST", "/api/v1/dags/publish/runs", {"params": {"tick": str(asked)}}, key=f"tick-{asked}")
                break
            except urllib.error.HTTPError as error:
                if error.code < 500 and error.code not in (409, 429):
                    raise SystemExit(f"{error.code}: {error.read().decode()}") from None
                time.sleep(0.1)
            except (OSError, urllib.error.URLError, ValueError):
                server.ready()
        if time.monotonic() >= next_kill:
            victims = ["server", "worker", "worker"] + (["postgres"] if postgres else [])
            victim = random.choice(victims)
            if victim == "server":
                server.kill()
                server.start()
            elif victim == "postgres":
                postgres.kill()
            elif workers := descendants(server):
                try:
                    os.kill(random.choice(workers), signal.SIGKILL)
                except ProcessLookupError:
                    pass
            kills[victim] += 1
            next_kill = time.monotonic() + random.uniform(0.5, 8)
        if time.monotonic() - said > 30:
            said = time.monotonic()
            say(f"{asked} runs asked for; kills: {dict(kills)}; {end - said:.0f} s left")
        time.sleep(random.expovariate(rate))
    return asked, kills


def settle(server: Server, seconds: float) -> list:
    """Waits until no run is open, and gives those that still are."""
    until, quiet, still = time.monotonic() + seconds, 0, []
    while time.monotonic() < until:
        server.ready()
        try:
            still = server.items("/api/v1/runs?state=queued,running,waiting")
        except urllib.error.HTTPError as error:
            raise SystemExit(f"{error.code}: {error.read().decode()}") from None
        except OSError:
            continue
        quiet = quiet + 1 if not still else 0
        if quiet == 3:
            return []
        time.sleep(1)
    return still


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--minutes", type=float, default=30)
    options.add_argument("--rate", type=float, default=2, help="runs asked for a second")
    options.add_argument("--seed", type=int, default=None)
    options.add_argument("--postgres", action="store_true")
    options.add_argument("--binary", type=Path, default=ROOT / "target" / "release" / "twinloom")
    options.add_argument("--keep", action="store_true", help="keep the folder, to look into")
    chosen = options.parse_args()
    random.seed(chosen.seed)
    home = Path(tempfile.mkdtemp(prefix="twinloom-chaos-"))
    home.chmod(0o755)
    (home / "dags").mkdir()
    (home / "dags" / "publish.yaml").write_text(PUBLISH)
    (home / "dags" / "follow.yaml").write_text(FOLLOW)
    postgres = Postgres(home / "servers") if chosen.postgres else None
    server = Server(chosen.binary.resolve(), home, postgres.url if postgres else None)
    try:
        server.start()
        server.ready()
        asked, kills = load(server, postgres, chosen.minutes, chosen.rate)
        say(f"{asked} runs asked for, kills {dict(kills)}; waiting for the rest")
        stuck = settle(server, 300)
        report = count(server, asked)
        report |= {"stuck_runs": len(stuck), "kills": dict(kills), "server_starts": server.starts, "minutes": chosen.minutes}
        server.stop()
        time.sleep(1)
        report["orphans"] = len(descendants(server))
    finally:
        if server.alive():
            server.kill()
        if postgres:
            postgres.stop()
        if chosen.keep:
            say(f"kept {home}")
        else:
            shutil.rmtree(home, ignore_errors=True)
    wrong = [name for name in ("lost", "doubled", "failed_runs", "stuck_runs", "version_gaps", "lost_events",
                               "doubled_events", "lost_triggers", "doubled_triggers", "orphans") if report[name]]
    print(json.dumps({"bench": "chaos", "system": "twinloom", "value": len(wrong), "unit": "faults", **report}))
    if wrong:
        raise SystemExit(f"not as it must be: {', '.join(wrong)}")


def in_postgres(pid: int) -> bool:
    try:
        return b"postgres" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]
    except OSError:
        return True


def count(server: Server, asked: int) -> dict:
    """What is there, against what was asked for."""
    runs = server.items("/api/v1/runs?dag=publish")
    ticks = collections.Counter(int(run["params"]["tick"]) for run in runs)
    follows = server.items("/api/v1/runs?dag=follow")
    dataset = server.call("GET", "/api/v1/datasets/ticks?limit=200")
    newest = max(row["version"] for row in dataset["items"])
    events = collections.Counter(
        row["subject"] for row in server.items("/api/v1/events?kind=dataset.published") if row["subject"].startswith("ticks@"))
    versions = {f"ticks@{number}" for number in range(1, newest + 1)}
    gaps = 0
    for number in range(1, newest + 1):
        try:
            server.call("GET", f"/api/v1/datasets/ticks/versions/{number}")
        except urllib.error.HTTPError:
            gaps += 1
    # Two runs may end in one version only where the tick is the same; each tick is one row.
    return {
        "asked": asked, "runs": len(runs), "versions": newest, "events": sum(events.values()), "triggered_runs": len(follows),
        "lost": len(set(range(1, asked + 1)) - set(ticks)), "doubled": sum(n - 1 for n in ticks.values()),
        "failed_runs": sum(run["state"] != "succeeded" for run in runs + follows), "version_gaps": gaps,
        "lost_events": len(versions - set(events)), "doubled_events": sum(n - 1 for n in events.values()),
        "lost_triggers": max(0, newest - len(follows)), "doubled_triggers": max(0, len(follows) - newest),
    }


if __name__ == "__main__":
    main()
