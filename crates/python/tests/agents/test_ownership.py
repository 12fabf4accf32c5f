"""Who may write a LangGraph thread: each test is a clause."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.conformance.test_utils import (
    generate_checkpoint,
    generate_config,
    generate_metadata,
)

import pitstop
from pitstop.langgraph import NotOwner, PitstopSaver

SPAWN = get_context("spawn")


@pytest.fixture
def savers(tmp_path: Path) -> Iterator["tuple[PitstopSaver, PitstopSaver]"]:
    with PitstopSaver(tmp_path, owner="a") as a, PitstopSaver(tmp_path, owner="b") as b:
        yield a, b


def put(saver: PitstopSaver, parent: "RunnableConfig | None" = None, **values: Any) -> RunnableConfig:
    config = parent or generate_config("thread", checkpoint_ns="")
    checkpoint = generate_checkpoint(channel_values=values, channel_versions=dict.fromkeys(values, 1))
    return saver.put(config, checkpoint, generate_metadata(), {})


def content(saver: PitstopSaver, thread_id: str = "thread") -> "list[Any]":
    return list(saver.list(generate_config(thread_id)))


def test_a_second_writer_continues_what_it_read(savers: "tuple[PitstopSaver, PitstopSaver]") -> None:
    a, b = savers
    one = put(a, x=1)
    two = put(b, one, x=2)
    three = put(a, two, x=3)
    assert [it.parent_config for it in content(b)] == [two, one, None]
    assert [it.config for it in content(b)] == [three, two, one]


def test_two_writers_never_fork_a_chain_silently(savers: "tuple[PitstopSaver, PitstopSaver]") -> None:
    a, b = savers
    one = put(a, x=1)
    put(b, one, x=2)
    before = content(a)
    with pytest.raises(NotOwner) as refused:
        put(a, one, x=3)
    assert refused.value.owner == "b" and refused.value.thread_id == "thread"
    assert content(a) == content(b) == before


def test_a_stale_writer_adds_no_writes(savers: "tuple[PitstopSaver, PitstopSaver]") -> None:
    a, b = savers
    one = put(a, x=1)
    put(b, one, x=2)
    before = content(b)
    with pytest.raises(NotOwner):
        a.put_writes(one, [("x", 3)], "task")
    assert content(a) == content(b) == before


def test_a_stale_writer_begins_no_chain_of_its_own(savers: "tuple[PitstopSaver, PitstopSaver]") -> None:
    a, b = savers
    one = put(a, x=1)
    put(b, one, x=2)
    config = generate_config("thread", checkpoint_ns="child:1")
    metadata = generate_metadata(parents={"": one["configurable"]["checkpoint_id"]})
    with pytest.raises(NotOwner):
        put(a, x=3)
    with pytest.raises(NotOwner):
        a.put(config, generate_checkpoint(), metadata, {})


def test_the_owner_may_fork_on_purpose(savers: "tuple[PitstopSaver, PitstopSaver]") -> None:
    a, _ = savers
    one = put(a, x=1)
    put(a, one, x=2)
    assert a.get_tuple(put(a, one, x=3)).parent_config == one  # type: ignore[union-attr]


def test_a_claim_ends_the_ownership_of_another(savers: "tuple[PitstopSaver, PitstopSaver]") -> None:
    a, b = savers
    one = put(a, x=1)
    b.claim("thread")
    before = content(b)
    writes: "list[Callable[[], object]]" = [
        lambda: put(a, one, x=2),
        lambda: a.put_writes(one, [("x", 2)], "task"),
        lambda: a.release("thread"),
        lambda: a.prune(["thread"]),
        lambda: a.delete_thread("thread"),
    ]
    for write in writes:
        with pytest.raises(NotOwner, match="'b': it claimed the thread"):
            write()
    assert content(a) == content(b) == before
    put(b, one, x=3)


def test_a_claim_is_for_one_thread(savers: "tuple[PitstopSaver, PitstopSaver]") -> None:
    a, b = savers
    b.claim("other")
    put(a, x=1)
    with pytest.raises(NotOwner):
        put(a, generate_config("other", checkpoint_ns=""), x=1)
    assert content(a, "other") == []


def test_a_claim_can_be_claimed_and_released(savers: "tuple[PitstopSaver, PitstopSaver]") -> None:
    a, b = savers
    b.claim("thread")
    a.claim("thread")
    one = put(a, x=1)
    with pytest.raises(NotOwner):
        put(b, one, x=2)
    a.release("thread")
    put(b, one, x=2)


def test_ownership_survives_a_restart(tmp_path: Path) -> None:
    with PitstopSaver(tmp_path, owner="a") as first:
        one = put(first, x=1)
        first.claim("thread")
    with PitstopSaver(tmp_path, owner="b") as other, pytest.raises(NotOwner):
        put(other, one, x=2)
    with PitstopSaver(tmp_path, owner="a") as again:
        put(again, one, x=2)


def test_the_same_holds_for_asyncio(savers: "tuple[PitstopSaver, PitstopSaver]") -> None:
    a, b = savers

    async def run() -> None:
        await b.aclaim("thread")
        with pytest.raises(NotOwner):
            await a.aput(generate_config("thread"), generate_checkpoint(), generate_metadata(), {})
        await b.arelease("thread")
        await a.aput(generate_config("thread"), generate_checkpoint(), generate_metadata(), {})

    asyncio.run(run())


def write_and_wait(directory: Path, pipe: Connection) -> None:
    """Puts, and then waits for a word before it puts again."""
    with PitstopSaver(directory, owner="frozen") as saver:
        one = put(saver, x=1)
        pipe.send(one)
        pipe.recv()
        with pytest.raises(NotOwner) as refused:
            put(saver, one, x=2)
        pipe.send(refused.value.owner)
        with pytest.raises(NotOwner) as refused:
            saver.put_writes(one, [("x", 2)], "task")
        pipe.send(refused.value.owner)


def test_a_claimant_takes_over_from_a_frozen_owner(tmp_path: Path) -> None:
    pipe, other = SPAWN.Pipe()
    frozen = SPAWN.Process(target=write_and_wait, args=(tmp_path, other))
    frozen.start()
    one = pipe.recv()
    # Between two writes it holds no lock.
    session = pitstop.Repository(tmp_path).get("thread")
    session.writer(timeout=30).close()
    assert frozen.pid is not None
    os.kill(frozen.pid, signal.SIGSTOP)
    with PitstopSaver(tmp_path, owner="claimant") as saver:
        saver.claim("thread")
        put(saver, one, x=3)
        before = content(saver)
        saver.close()
        os.kill(frozen.pid, signal.SIGCONT)
        pipe.send("go on")
        assert [pipe.recv(), pipe.recv()] == ["claimant", "claimant"]
        frozen.join()
        assert content(saver) == before


def test_readers_are_never_blocked(tmp_path: Path) -> None:
    with PitstopSaver(tmp_path, owner="a", hold=60) as holder, PitstopSaver(tmp_path, timeout=0) as reader:
        one = put(holder, x=1)
        holder.claim("thread")
        with pytest.raises(pitstop.Busy):
            put(reader, one, x=2)
        found = reader.get_tuple(generate_config("thread"))
        assert found is not None and found.checkpoint["channel_values"] == {"x": 1}
        assert len(content(reader)) == 1


def race(directory: Path, name: str, rounds: int) -> int:
    """Continues the newest checkpoint again and again, and returns how often it was first."""
    won = 0
    with PitstopSaver(directory, owner=name) as saver:
        for _ in range(rounds):
            newest = saver.get_tuple(generate_config("thread"))
            try:
                put(saver, newest.config if newest else None, x=name)
                won += 1
            except NotOwner:
                pass
            saver.close()
    return won


def test_of_rivals_one_continues_each_checkpoint(tmp_path: Path) -> None:
    with SPAWN.Pool(3) as pool:
        won = pool.starmap(race, [(tmp_path, name, 20) for name in "abc"])
    with PitstopSaver(tmp_path) as saver:
        chain = content(saver)
    assert len(chain) == sum(won) >= 20
    parents = [it.parent_config for it in chain]
    # One chain: each continues the one before it.
    assert parents[:-1] == [it.config for it in chain[1:]] and parents[-1] is None


def start(directory: Path, number: int) -> int:
    with PitstopSaver(directory) as saver:
        config = generate_config(f"thread-{number % 40}", checkpoint_ns="")
        try:
            saver.put(config, generate_checkpoint(channel_values={"x": number}), generate_metadata(), {})
        except NotOwner:
            return 1
    return 0


def test_many_processes_start_at_once_on_one_store(tmp_path: Path) -> None:
    count = int(os.environ.get("PITSTOP_PROCESSES", "16"))
    with get_context("forkserver").Pool(count) as pool:
        told = pool.starmap(start, [(tmp_path, number) for number in range(count)], chunksize=1)
    with PitstopSaver(tmp_path) as saver:
        assert len(list(saver.list(None))) == count - sum(told)
