"""What a benchmark of indexes does in processes of their own: build, widen, ask."""

import multiprocessing
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.index_adapters import ADAPTERS, Adapter
from benchmarks.index_vectors import FILTERED_QUERIES, Asked, Ids, K, Vectors

LOAD_S = 2.0
TARGET = 0.995
MB = 1e6
Told = dict[str, Any]


def told_by(work: Callable[..., Told], *arguments: object) -> Told | None:
    """What a function returns in a fresh process; None where that failed."""
    context = multiprocessing.get_context("spawn")
    mouth, ear = context.Pipe(duplex=False)
    process = context.Process(target=_tell, args=(ear, work, *arguments))
    process.start()
    ear.close()
    try:
        told: Told = mouth.recv()
    except EOFError:
        return None
    finally:
        process.join()
        mouth.close()
    return told


def _tell(ear: Connection, work: Callable[..., Told], *arguments: object) -> None:
    ear.send(work(*arguments))


def build(name: str, folder: Path, vectors: Path) -> Told:
    """Builds an engine and keeps it."""
    folder.mkdir()
    matrix = np.load(vectors, mmap_mode="r")
    matrix.max()  # off the disk
    began = time.perf_counter()
    engine = ADAPTERS[name](folder)
    engine.build(matrix)
    return {"build_s": time.perf_counter() - began, "disk_mb": engine.size() / MB}


def widen(name: str, folder: Path, vectors: Path, tuning: Asked) -> Told:
    """How widely an engine must search, where that is to be said."""
    engine = _opened(name, folder)
    first = engine.breadth
    if name.startswith("ours") or not first:
        engine.close()
        return {"breadth": first}
    matrix = np.load(vectors, mmap_mode="r")
    while True:
        answers = [engine.search(query[np.newaxis], K, None).tolist() for query in tuning.queries]
        if tuning.recall(answers, matrix) >= TARGET or engine.breadth >= engine.widest:
            break
        engine.widen(min(2 * engine.breadth, engine.widest))
    engine.close()
    return {"breadth": engine.breadth}


def ask(name: str, folder: Path, breadth: int, queries: Vectors, left: Mapping[float, Ids]) -> Told:
    """Opens an engine and tells what it does."""
    idle = psutil.Process().memory_info().rss
    began = time.perf_counter()
    engine = _opened(name, folder)
    if breadth and not name.startswith("ours"):
        engine.widen(breadth)
    engine.search(queries[:1], K, None)
    told: Told = {"start_s": time.perf_counter() - began}
    told["all"] = _each(engine, queries, None)
    told["memory_mb"] = (psutil.Process().memory_info().rss - idle) / MB
    told["per_s"] = {threads: _load(engine, queries, threads) for threads in (1, 8)}
    if engine.filters:
        some = queries[:FILTERED_QUERIES]
        told["left"] = {share: _each(engine, some, ids) for share, ids in left.items()}
    engine.close()
    return told


def _opened(name: str, folder: Path) -> Adapter:
    engine = ADAPTERS[name](folder)
    engine.open()
    return engine


def _each(engine: Adapter, queries: Vectors, among: Ids | None) -> Told:
    times, answers = [], []
    for query in queries:
        began = time.perf_counter()
        answers.append(engine.search(query[np.newaxis], K, among).tolist())
        times.append(1000 * (time.perf_counter() - began))
    return {"ms": times, "answers": answers}


def _load(engine: Adapter, queries: Vectors, threads: int) -> float:
    until = time.perf_counter() + LOAD_S

    def ask_on(number: int) -> int:
        done = 0
        while time.perf_counter() < until:
            engine.search(queries[[(number + done) % len(queries)]], K, None)
            done += 1
        return done

    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(ask_on, range(threads))) / LOAD_S
