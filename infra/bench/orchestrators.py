"""Prefect, Dagster and Airflow on the three-step and 40-task workloads, beside our own figures for the same.

    make bench ONLY=orchestrators            those that are installed under .cache/peers
    INSTALL_PEERS=1 make bench ONLY=orchestrators    installs those that are missing first, from PyPI
    ORCHESTRATORS=prefect,dagster            some of them

Two classes that are not mixed: `in-process` (ours: inline operators) and `process` (ours: a process a task). The
peers' scripts are not part of this project: PEERS names their folder.
"""
import os
import subprocess
import sys
from pathlib import Path

PACKAGES = {
    "prefect": ["prefect", "fastapi<0.140"],  # 3.8.8 does not run on a newer FastAPI
    "dagster": ["dagster", "dagster-webserver"],
    "airflow": ["apache-airflow"],
}
COMMON = ["psutil", "requests"]


def python_of(name: str, root: Path) -> Path | None:
    """The interpreter that has the peer, installed where that was asked for."""
    home = Path(os.environ.get("PEERS_VENVS", root / ".cache" / "peers")) / name
    python = home / "bin" / "python"
    if not python.is_file():
        if not os.environ.get("INSTALL_PEERS"):
            print(f"[bench] {name} is not installed; INSTALL_PEERS=1 installs it into {home}", file=sys.stderr)
            return None
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES[name], *COMMON], check=True, stdout=sys.stderr)
    return python


def peers(root: Path, scripts: Path, rows_of) -> list[dict]:
    """The figures of every orchestrator that can be run here, with `class` as our own rows have it."""
    chosen = os.environ.get("ORCHESTRATORS", ",".join(PACKAGES)).split(",")
    rows = []
    for name in chosen:
        script = scripts / f"orch_{name}.py"
        if not script.is_file():
            print(f"[bench] no {script.name} in {scripts}; PEERS names the folder of the peers' scripts", file=sys.stderr)
            continue
        if python := python_of(name, root):
            rows += rows_of([python, script], cwd=scripts)
    for row in rows:
        row["class"] = row.pop("isolation", "process")
    return rows


def table(ours: list[dict], theirs: list[dict]) -> list[dict]:
    """Ours over each peer's best for the same bench, class and number of tasks; above 1 is better for us."""
    def key(row):
        return row["bench"], row.get("class"), row.get("tasks")

    out = []
    for mine in ours:
        for system in dict.fromkeys(row["system"] for row in theirs):
            values = [row["value"] for row in theirs if row["system"] == system and key(row) == key(mine)]
            if values:
                lower = mine["unit"] in ("ms", "s", "MiB")
                best = min(values) if lower else max(values)
                ratio = best / mine["value"] if lower else mine["value"] / best
                out.append({"bench": mine["bench"], "system": "ratio", "value": round(ratio, 2), "unit": "ratio",
                            "against": system, **{k: mine[k] for k in ("class", "tasks") if k in mine}})
    return out
