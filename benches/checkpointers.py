"""Compares pitstop.langgraph.PitstopSaver with LangGraph's AsyncSqliteSaver, in one run on one disk.

    pip install pitstop[langgraph] langgraph-checkpoint-sqlite
    python benches/checkpointers.py [--steps 1000] [--directory DIRECTORY]

Each step is one `aput` of a state that has grown by a message, and one `aput_writes` of that message. Both savers are
durable: SQLite runs with `synchronous=FULL`, with which every commit is flushed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from langgraph.checkpoint.base.id import uuid6
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from pitstop.langgraph import PitstopSaver

SIZE = 500_000
"""The size of the state of each thread after its last step, in bytes."""

Open = Callable[[str], AbstractAsyncContextManager[Any]]


@asynccontextmanager
async def open_sqlite(directory: str) -> AsyncIterator[Any]:
    async with AsyncSqliteSaver.from_conn_string(os.path.join(directory, "db")) as saver:
        await saver.setup()
        await saver.conn.execute("PRAGMA synchronous=FULL")
        yield saver


@asynccontextmanager
async def open_pitstop(directory: str) -> AsyncIterator[Any]:
    async with PitstopSaver(directory) as saver:
        yield saver


def config(thread: int) -> dict[str, Any]:
    return {"configurable": {"thread_id": f"thread-{thread}", "checkpoint_ns": ""}}


async def run_thread(saver: Any, thread: int, texts: list[str]) -> None:
    parent, messages = config(thread), []
    for step, text in enumerate(texts):
        messages = [*messages, {"role": "user", "content": text, "id": str(step)}]
        checkpoint = {
            "v": 2,
            "ts": f"2026-11-28T00:00:00.{step:06}+00:00",
            "id": str(uuid6(clock_seq=step)),
            "channel_values": {"messages": messages},
            "channel_versions": {"messages": step + 1},
            "versions_seen": {"agent": {"messages": step}},
            "updated_channels": ["messages"],
        }
        metadata = {"source": "loop", "step": step, "parents": {}}
        parent = await saver.aput(parent, checkpoint, metadata, {"messages": step + 1})
        await saver.aput_writes(parent, [("messages", messages[-1:])], f"task-{step}")


async def milliseconds(call: Callable[[], Awaitable[Any]], times: int) -> float:
    took = []
    for _ in range(times):
        start = time.perf_counter()
        await call()
        took.append(time.perf_counter() - start)
    return statistics.median(took) * 1000


async def compare(name: str, open_saver: Open, directory: str, threads: int, steps: int) -> None:
    made = random.Random(7)
    letters = "abcdefghijklmnopqrstuvwxyz      "
    texts = ["".join(made.choices(letters, k=SIZE * threads // steps)) for _ in range(steps)]
    with tempfile.TemporaryDirectory(dir=directory) as place:
        async with open_saver(place) as saver:
            start = time.perf_counter()
            own = [texts[thread::threads] for thread in range(threads)]
            await asyncio.gather(*(run_thread(saver, thread, own[thread]) for thread in range(threads)))
            rate = steps / (time.perf_counter() - start)

            async def list_ten() -> None:
                assert len([it async for it in saver.alist(config(0), limit=10)]) == 10

            newest = await milliseconds(lambda: saver.aget_tuple(config(0)), 30)
            listed = await milliseconds(list_ten, 5)
        files = (os.path.join(path, name) for path, _, names in os.walk(place) for name in names)
        size = sum(os.stat(file).st_blocks * 512 for file in files) / 1e6
    print(f"| {name} | {threads} | {rate:.0f} | {size:.1f} | {newest:.2f} | {listed:.1f} |", flush=True)


async def one_put_each(directory: str, steps: int) -> None:
    """A worker that comes for one put against one that stays."""
    with tempfile.TemporaryDirectory(dir=directory) as place:
        async with PitstopSaver(place) as saver:
            await run_thread(saver, 0, ["x" * (SIZE // steps)] * steps)
        for name, stays in (("stays", True), ("comes for one put", False)):
            saver = PitstopSaver(place, hold=60 if stays else 0)
            start, puts = time.perf_counter(), 100
            for step in range(puts):
                saver = saver if stays else PitstopSaver(place, hold=0)
                newest = saver.get_tuple(config(0))  # type: ignore[arg-type]
                assert newest is not None
                checkpoint: Any = {**newest.checkpoint, "id": str(uuid6(clock_seq=step))}
                saver.put(newest.config, checkpoint, {"step": step}, {})
            print(f"a worker that {name}: {puts / (time.perf_counter() - start):.0f} puts a second")
            saver.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare the checkpointers of LangGraph.")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--directory", default="target", help="a directory on a real disk")
    arguments = parser.parse_args()
    print("| saver | threads | steps/s | MB | newest state, ms | list of 10, ms |")
    print("| --- | --- | --- | --- | --- | --- |")
    savers: list[tuple[str, Open]] = [("Pitstop", open_pitstop), ("AsyncSqliteSaver", open_sqlite)]
    for threads in (1, 20):
        for name, open_saver in savers:
            asyncio.run(compare(name, open_saver, arguments.directory, threads, arguments.steps))
    asyncio.run(one_put_each(arguments.directory, arguments.steps))


if __name__ == "__main__":
    main()
