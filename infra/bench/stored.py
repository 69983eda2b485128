"""Ended runs, as the scheduler would have left them, for figures with a full database.

    stored.py DATABASE RUNS [DAG TASKS]     RUNS of 50 DAGs with two tasks each, or of one DAG with TASKS tasks each
"""
import sqlite3
import sys
from pathlib import Path

STATES = ["succeeded"] * 8 + ["failed", "cancelled"]
START = 1_700_000_000_000_000


def fill(database: Path, runs: int, dag: str = "", tasks: int = 2) -> None:
    """All of `dag` where one is named; such runs have ids of their own, so that both kinds can be stored."""
    prefix = "02" if dag else "01"
    width = 0 if tasks == 2 else len(str(tasks - 1))
    with sqlite3.connect(database) as db:
        def head(n):
            at = START + n * 1_000_000
            return (f"{prefix}{n:024d}", dag or f"dag_{n % 50}", "{}", STATES[n % 10], '{"kind":"schedule"}', at, at, at + 900_000, 1)
        db.executemany('INSERT INTO runs (id, dag, params, state, "trigger", created_at, started_at, ended_at, epoch) '
                       "VALUES (?,?,?,?,?,?,?,?,?)", map(head, range(runs)))

        def task(n, place):
            at = START + n * 1_000_000
            name = f"step_{place:0{width}d}"
            return (f"{prefix}{n:024d}", name, place, name, "command", "succeeded", 1, at, at, at + 400_000)
        db.executemany("INSERT INTO tasks (run, id, position, step, operator, state, attempt, queued_at, started_at, ended_at) "
                       "VALUES (?,?,?,?,?,?,?,?,?,?)", (task(n, place) for n in range(runs) for place in range(tasks)))


if __name__ == "__main__":
    database, runs, *wide = sys.argv[1:]
    fill(Path(database), int(runs), *wide[:1], *map(int, wide[1:2]))
