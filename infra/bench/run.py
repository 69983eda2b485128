"""Runs our benches, and the peers' scripts in turn with them, and prints one JSON line a figure.

Environment: ONLY (names, by comma), PEERS_PYTHON (a Python that has the peers), PEERS (the folder of their scripts,
default ../shared/bench/peers beside the checkout), ROUNDS (how often ours and the peer take turns, default 2).
"""
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import orchestrators

ROOT = Path(__file__).resolve().parents[2]
TWINLOOM = ROOT / "target" / "release" / "twinloom"
TORCH = ROOT / "target" / "release" / "twinloom-torch"
MINILM = ROOT / ".cache" / "minilm"
PEERS = Path(os.environ.get("PEERS", ROOT.parent / "shared" / "bench" / "peers"))
PYTHON = os.environ.get("PEERS_PYTHON")
ROUNDS = int(os.environ.get("ROUNDS", "2"))
ONLY = {name for name in os.environ.get("ONLY", "").split(",") if name}
# A lower value is better in these units; elsewhere a higher one is.
LOWER = {"ms", "s", "MiB"}


def say(text: str) -> None:
    print(f"[bench] {text}", file=sys.stderr, flush=True)


def rows_of(command: list, **extra) -> list[dict]:
    """The JSON lines that a command prints; its other words go to stderr."""
    done = subprocess.run([str(part) for part in command], cwd=extra.pop("cwd", ROOT), stdout=subprocess.PIPE, text=True,
                          env={**os.environ, **extra})
    rows = []
    for line in done.stdout.splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            print(line, file=sys.stderr)
    if done.returncode:
        say(f"{command[0]} ended with {done.returncode}; its figures may be missing")
    return [row for row in rows if isinstance(row, dict) and "bench" in row]


def cargo_bench(package: str, name: str, *arguments: str):
    return lambda: rows_of(["cargo", "bench", "--quiet", "--locked", "-p", package, "--bench", name, "--", *arguments])


def peer(script: str, *arguments):
    """A peer's figures, or none where its Python or script is not here."""
    def run():
        if not PYTHON or not (PEERS / script).is_file():
            return []
        return rows_of([PYTHON, PEERS / script, *arguments], cwd=PEERS)
    return run


def emit(row: dict) -> None:
    print(json.dumps(row), flush=True)


def resident_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


def scheduler() -> list[dict]:
    """Start to ready, and memory after three idle seconds, of the scheduler alone; the second start counts."""
    with tempfile.TemporaryDirectory() as home:
        rows = []
        for _ in range(6):
            began = time.perf_counter()
            process = subprocess.Popen([TWINLOOM, "--home", home, "--json", "scheduler"], stdout=subprocess.PIPE, text=True)
            process.stdout.readline()
            rows.append(time.perf_counter() - began)
            if len(rows) == 6:
                time.sleep(3)
                memory = resident_mib(process.pid)
            process.terminate()
            process.wait()
    return [{"bench": "ready_s", "system": "twinloom", "value": round(statistics.median(rows[1:]), 4), "unit": "s",
             "parts": "scheduler", "samples": 5},
            {"bench": "idle_rss_mib", "system": "twinloom", "value": round(memory, 1), "unit": "MiB", "parts": "scheduler"}]


# Each case: the figures it gives, our command, the peer's (if there is one).
CASES = [
    ({"dag_3_steps_p50_ms", "dag_3_steps_p95_ms", "fanout_tasks_per_s", "process_overhead_ms"},
     cargo_bench("twinloom-runtime", "runs"), None),
    ({"idle_rss_mib", "ready_s"}, scheduler, None),
    ({"store_publish", "store_incremental"}, cargo_bench("twinloom-store", "store"), None),
    ({"text_pipeline"}, cargo_bench("twinloom-operators", "text_pipeline"), peer("text_pipeline.py")),
    ({"embed"}, lambda: rows_of([TORCH, "bench", "embed"]), peer("embed.py", MINILM)),
]


def ratios(ours: list[dict], theirs: list[dict]) -> list[dict]:
    """Ours over theirs by bench, medians; above 1 is better for us, whatever the unit."""
    out = []
    for bench in dict.fromkeys(row["bench"] for row in ours):
        def median(rows):
            values = [row["value"] for row in rows if row["bench"] == bench and row["system"] not in ("ratio", "share_of_limit")]
            return statistics.median(values) if values else None
        mine, other = median(ours), median(theirs)
        if mine and other:
            unit = next(row["unit"] for row in ours if row["bench"] == bench)
            ratio = other / mine if unit in LOWER else mine / other
            against = next(row["system"] for row in theirs if row["bench"] == bench)
            out.append({"bench": bench, "system": "ratio", "value": round(ratio, 3), "unit": "ratio", "against": against})
    return out


def beside_orchestrators() -> None:
    """Ours and each orchestrator's, on the workloads that all of them can run."""
    ours = cargo_bench("twinloom-runtime", "runs")() + scheduler()
    theirs = orchestrators.peers(ROOT, PEERS, rows_of)
    for row in ours + theirs + orchestrators.table(ours, theirs):
        emit(row)


def main() -> None:
    if "orchestrators" in ONLY:
        beside_orchestrators()
        ONLY.discard("orchestrators")
        if not ONLY:
            return
    if not PYTHON:
        say("PEERS_PYTHON is not set: our own figures only")
    for names, own, other in CASES:
        if ONLY and not ONLY & names:
            continue
        ours, theirs = [], []
        for _ in range(ROUNDS if other and PYTHON else 1):
            ours += own()
            theirs += other() if other else []
        for row in ours + theirs + ratios(ours, theirs):
            if not ONLY or row["bench"] in ONLY:
                emit(row)


if __name__ == "__main__":
    main()
