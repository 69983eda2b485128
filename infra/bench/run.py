"""Runs our benches, and the peers' scripts in turn with them, and prints one JSON line a figure.

Environment: ONLY (names, by comma), PEERS_PYTHON (a Python that has the peers), PEERS (the folder of their scripts,
default ../shared/bench/peers beside the checkout), ROUNDS (how often ours and the peer take turns, default 2),
CHECKPOINTS (the folder of what the peers' make_checkpoints.py makes, default .cache/checkpoints).
"""
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import orchestrators
from stored import fill

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


def cargo_bench(name: str, *arguments: str):
    # Of the whole workspace: one package alone would compile dependencies again, with other features of theirs.
    return lambda: rows_of(["cargo", "bench", "--quiet", "--locked", "--workspace", "--bench", name, "--", *arguments])


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


def up(home: str, *options: str) -> tuple[subprocess.Popen, str, float]:
    """Scheduler, API and web UI on a free port: the process, its address, and the seconds until it was ready."""
    dags = Path(home, "dags")
    dags.mkdir(exist_ok=True)
    began = time.perf_counter()
    process = subprocess.Popen([TWINLOOM, "--home", Path(home, "state"), "--json", "up", "--port", "0", "--dags", dags,
                                "--requests-per-second", "100000", *options], stdout=subprocess.PIPE, text=True)
    ready = json.loads(process.stdout.readline())
    return process, ready["url"], time.perf_counter() - began


def stop(process: subprocess.Popen) -> None:
    process.terminate()
    process.wait()


def server() -> list[dict]:
    """Start to ready, and memory after three idle seconds, with API and web UI; the first start makes the database."""
    with tempfile.TemporaryDirectory() as home:
        times = []
        for _ in range(6):
            process, url, took = up(home)
            times.append(took)
            if len(times) == 6:
                get(url + "/")
                get(url + "/api/v1/overview")
                time.sleep(3)
                memory = resident_mib(process.pid)
            stop(process)
    parts = "scheduler, API, web UI"
    return [{"bench": "up_ready_s", "system": "twinloom", "value": round(statistics.median(times[1:]), 4), "unit": "s",
             "parts": parts, "samples": 5},
            {"bench": "up_idle_rss_mib", "system": "twinloom", "value": round(memory, 1), "unit": "MiB", "parts": parts}]


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.read()


def api_lists() -> list[dict]:
    """Pages of lists with 100,000 stored runs: newest, a deep cursor, filters, the grid, the overview."""
    with tempfile.TemporaryDirectory() as home:
        process, _, _ = up(home)
        stop(process)
        fill(Path(home, "state", "twinloom.db"), 100_000)
        process, url, _ = up(home)
        api = url + "/api/v1"
        deep = f"01{50_000:024d}"
        pages = ["/runs", f"/runs?cursor={deep}", "/runs?state=failed", "/runs?dag=dag_7&limit=100", "/runs?q=dag_7",
                 "/dags/dag_7/grid?limit=100", "/overview", "/experiments?dag=dag_7", "/events", "/audit"]
        times = []
        for page in pages:
            try:
                get(api + page)
            except urllib.error.HTTPError as error:
                say(f"{page}: {error.code}")
                continue
            for _ in range(30):
                began = time.perf_counter()
                get(api + page)
                times.append((time.perf_counter() - began) * 1000)
        stop(process)
    times.sort()
    return [{"bench": "api_list_p95_ms", "system": "twinloom", "value": round(times[int(len(times) * 0.95)], 2), "unit": "ms",
             "runs": 100_000, "samples": len(times), "median_ms": round(statistics.median(times), 2)}]


HELLO = """apiVersion: twinloom/v1
kind: Dag
name: hello
steps:
  hello: {uses: command, with: {argv: ["true"]}, cache: false}
"""


def sse_clients(clients: int = 200) -> list[dict]:
    """How soon 200 live clients have the end of a run, and the server's memory with them."""
    with tempfile.TemporaryDirectory() as home:
        Path(home, "dags").mkdir()
        Path(home, "dags", "hello.yaml").write_text(HELLO)
        process, url, _ = up(home)
        ends: list[float] = []
        ready = threading.Barrier(clients + 1)

        def follow():
            request = urllib.request.Request(url + "/api/v1/stream?after=0", headers={"accept": "text/event-stream"})
            with urllib.request.urlopen(request, timeout=60) as stream:
                stream.readline()
                ready.wait()
                for line in stream:
                    if line.startswith(b"data:") and b'"run.ended"' in line:
                        ends.append(time.perf_counter())
                        return

        threads = [threading.Thread(target=follow, daemon=True) for _ in range(clients)]
        [thread.start() for thread in threads]
        ready.wait()
        request = urllib.request.Request(url + "/api/v1/dags/hello/runs", data=b"{}", method="POST",
                                         headers={"content-type": "application/json"})
        urllib.request.urlopen(request, timeout=30).read()
        [thread.join(60) for thread in threads]
        memory = resident_mib(process.pid)
        stop(process)
    if len(ends) < clients:
        say(f"{clients - len(ends)} of {clients} live clients never heard of the run's end")
    spread = (max(ends) - min(ends)) * 1000 if ends else float("nan")
    return [{"bench": "sse_spread_ms", "system": "twinloom", "value": round(spread, 1), "unit": "ms", "clients": len(ends)},
            {"bench": "sse_rss_mib", "system": "twinloom", "value": round(memory, 1), "unit": "MiB", "clients": len(ends)}]


def smol(run):
    """A case over the random-weight checkpoint `smol-135m`: made by the peers' script where there is a Python for it, or
    found in the folder CHECKPOINTS."""
    def rows():
        base = Path(os.environ.get("CHECKPOINTS", ROOT / ".cache" / "checkpoints")) / "smol-135m"
        script = PEERS / "make_checkpoints.py"
        if not (base / "model.safetensors").is_file() and PYTHON and script.is_file():
            subprocess.run([PYTHON, script, base.parent, base.name], cwd=PEERS, stdout=sys.stderr, check=False)
        if (base / "model.safetensors").is_file():
            return run(base)
        say(f"there is no {base}: set PEERS_PYTHON or CHECKPOINTS")
        return []
    return rows


def web_ui() -> list[dict]:
    """The web UI in a headless browser, with 10,000 stored runs and a DAG of 500 tasks; none without Node and Chromium."""
    if not shutil.which("node"):
        say("there is no Node.js: the web UI is not measured")
        return []
    return rows_of(["node", ROOT / "engine" / "server" / "ui" / "e2e" / "scale.mjs"], TWINLOOM_BIN=str(TWINLOOM))


def reranking(weights: str, dtype: str):
    """Scoring pairs with a random-weight cross-encoder of MiniLM's shape, which the peer's Python makes."""
    model = Path(os.environ.get("CHECKPOINTS", ROOT / ".cache" / "checkpoints")) / "cross-minilm"
    script, articles = Path(__file__).with_name("rerank.py"), PEERS.parents[1] / "data" / "articles.jsonl"

    def ours():
        if not (model / "model.safetensors").is_file() and PYTHON:
            subprocess.run([PYTHON, script, "make", MINILM, model], stdout=sys.stderr, check=False)
        if (model / "model.safetensors").is_file() and articles.is_file():
            return rows_of([TORCH, "bench", "rerank", "--model", model, "--articles", articles, "--weights", weights])
        say(f"there is no {model} or no {articles}: set PEERS_PYTHON, CHECKPOINTS or PEERS")
        return []

    def theirs():
        there = PYTHON and (model / "model.safetensors").is_file() and articles.is_file()
        return rows_of([PYTHON, script, "run", model, articles, "--dtype", dtype]) if there else []
    return ours, theirs


def under(name: str, run):
    """A peer's figures under the name that ours have."""
    return lambda: [{**row, "bench": name} for row in run()]


def decoding(batch: int, weights: str):
    """Decoding with weights of a kind; the peer's are bf16 whatever ours are."""
    ours = lambda base: rows_of([TORCH, "bench", "generate", "--checkpoint", base, "--batch", batch, "--weights", weights])
    return smol(ours), smol(lambda base: peer("generate.py", base, "--batch", str(batch))())


def beside_load(base) -> list[dict]:
    """What is left of the rate while another process keeps one core busy, as a share."""
    rows = []
    for name, command in (("generate", ["generate", "--checkpoint", base, "--batch", "1", "--weights", "bf16"]), ("lora_train", ["train", base])):
        def rate():
            found = rows_of([TORCH, "bench", *command])
            return next((row["value"] for row in found if row["system"] == "twinloom"), None)
        alone = rate()
        busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
        try:
            loaded = rate()
        finally:
            busy.kill()
            busy.wait()
        if alone and loaded:
            rows.append({"bench": "beside_load", "system": "twinloom", "value": round(loaded / alone, 3), "unit": "share",
                         "of": name, "alone": alone, "loaded": loaded})
    return rows


# Each case: the figures it gives, our command, the peer's (if there is one).
CASES = [
    ({"dag_3_steps_p50_ms", "dag_3_steps_p95_ms", "fanout_tasks_per_s", "process_overhead_ms",
      "trigger_to_start_p50_ms", "runs_per_minute", "list_runs_p50_ms"},
     cargo_bench("runs"), None),
    ({"idle_rss_mib", "ready_s"}, scheduler, None),
    ({"up_ready_s", "up_idle_rss_mib"}, server, None),
    ({"api_list_p95_ms"}, api_lists, None),
    ({"sse_spread_ms", "sse_rss_mib"}, sse_clients, None),
    ({"ui_runs_first_rows_ms", "ui_runs_scroll_frame_p95_ms", "ui_runs_filter_ms", "ui_graph_ready_ms", "ui_graph_pan_frame_p95_ms",
      "ui_grid_ready_ms", "ui_grid_scroll_frame_p95_ms", "ui_timeline_ready_ms"}, web_ui, None),
    ({"store_publish", "store_incremental"}, cargo_bench("store"), None),
    ({"text_pipeline"}, cargo_bench("text_pipeline"), peer("text_pipeline.py")),
    ({"embed"}, lambda: rows_of([TORCH, "bench", "embed"]), peer("embed.py", MINILM)),
    ({"lora_train"}, smol(lambda base: rows_of([TORCH, "bench", "train", base])),
     smol(lambda base: peer("lora_train.py", base, "--seq", "256", "--batch", "2")())),
    *(({"embed_reduced"}, lambda weights=weights: rows_of([TORCH, "bench", "embed", "--weights", weights]),
       under("embed_reduced", peer("embed.py", MINILM, "--dtype", "bfloat16"))) for weights in ("bf16", "int8")),
    *(({"rerank"}, *reranking(weights, dtype)) for weights, dtype in (("f32", "float32"), ("bf16", "bfloat16"))),
    ({"beside_load"}, smol(beside_load), None),
    *(({"generate"}, *decoding(batch, weights)) for batch in (1, 8) for weights in ("bf16", "int8")),
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
            case = {key: ours[0][key] for key in ("batch", "dtype") if key in ours[0]}
            ratio = other / mine if unit in LOWER else mine / other
            against = next(row["system"] for row in theirs if row["bench"] == bench)
            out.append({"bench": bench, "system": "ratio", "value": round(ratio, 3), "unit": "ratio", "against": against, **case})
            memory = [max((row.get("peak_rss_mib") or 0 for row in rows if row["bench"] == bench), default=0)
                      for rows in (ours, theirs)]
            if bench == "lora_train" and all(memory):
                out.append({"bench": bench, "system": "ratio", "value": round(memory[0] / memory[1], 3),
                            "unit": "ratio of peak memory (lower is better)", "against": against})
    return out


def beside_orchestrators() -> None:
    """Ours and each orchestrator's, on the workloads that all of them can run."""
    ours = cargo_bench("runs")() + scheduler()
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
