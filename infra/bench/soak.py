"""Mixed generation and embedding on one worker for a while, with training beside it, and its memory over time.

    python3 infra/bench/soak.py CHECKPOINT [MINUTES] [--train COMMAND ...]

Prints one JSON line every 10 seconds (seconds, resident MiB, texts, tokens), and at the end whether memory is flat: the
median of the last third within 5% and 20 MiB of the middle third's. COMMAND (a training run, say `twinloom run
dags/twin.yaml`) is started again each time that it ends. Needs no package.
"""
import json
import random
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TORCH = ROOT / "target" / "release" / "twinloom-torch"
OPEN = 12


def resident_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


def request(number: int, checkpoint: str) -> dict:
    draw = random.Random(number)
    if draw.random() < 0.1:
        return {"id": number, "op": "embed", "texts": ["word " * draw.randint(1, 200)] * draw.randint(1, 8)}
    words = " ".join(str(draw.randint(0, 999)) for _ in range(draw.randint(1, 300)))
    return {"id": number, "op": "generate", "model": checkpoint, "prompt": "Shared start of a context. " * 8 + words,
            "max_new_tokens": draw.randint(1, 128), "temperature": draw.choice([0, 0.8]), "seed": number,
            "stream": draw.random() < 0.5}


def main() -> None:
    arguments = sys.argv[1:]
    training = arguments[arguments.index("--train") + 1:] if "--train" in arguments else []
    arguments = arguments[: arguments.index("--train")] if training else arguments
    checkpoint, minutes = arguments[0], float(arguments[1]) if len(arguments) > 1 else 30.0
    worker = subprocess.Popen([TORCH, "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    counts = {"texts": 0, "tokens": 0, "vectors": 0, "errors": 0, "cancelled": 0}
    free = threading.Semaphore(OPEN)

    def read() -> None:
        for line in worker.stdout:
            reply = json.loads(line)
            if "delta" in reply or reply.get("id") == "cancel":
                continue
            if "error" in reply:
                counts["cancelled" if reply["error"]["code"] == "model.cancelled" else "errors"] += 1
            elif "vectors" in reply:
                counts["vectors"] += len(reply["vectors"])
            else:
                counts["texts"] += 1
                counts["tokens"] += reply["new_tokens"]
            free.release()

    threading.Thread(target=read, daemon=True).start()
    began, told, number, samples, trainer = time.monotonic(), 0.0, 0, [], None
    while (now := time.monotonic() - began) < minutes * 60:
        if training and (trainer is None or trainer.poll() is not None):
            trainer = subprocess.Popen(training, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if free.acquire(timeout=1):
            number += 1
            lines = [request(number, checkpoint)]
            if number % 37 == 0:
                lines.append({"id": "cancel", "op": "cancel", "request": number})
            worker.stdin.write("".join(json.dumps(line) + "\n" for line in lines))
            worker.stdin.flush()
        if now - told >= 10:
            told = now
            samples.append(resident_mib(worker.pid))
            print(json.dumps({"bench": "soak", "system": "twinloom", "seconds": round(now), "value": round(samples[-1], 1),
                              "unit": "MiB", **counts}), flush=True)
    if trainer and trainer.poll() is None:
        trainer.terminate()
    worker.stdin.close()
    worker.wait(timeout=300)
    third = max(1, len(samples) // 3)
    middle, last = statistics.median(samples[third: 2 * third] or samples), statistics.median(samples[-third:])
    flat = last <= middle * 1.05 + 20
    print(json.dumps({"bench": "soak_flat", "system": "twinloom", "value": round(last - middle, 1), "unit": "MiB", "flat": flat,
                      "minutes": minutes, "exit": worker.returncode, **counts}))
    sys.exit(0 if flat and worker.returncode == 0 and not counts["errors"] else 1)


if __name__ == "__main__":
    main()
