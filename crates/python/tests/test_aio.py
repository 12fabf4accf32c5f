"""The same for asyncio."""

import asyncio
from pathlib import Path

import pytest

import pitstop
from pitstop import aio


def test_a_program_goes_on_where_it_left_off(tmp_path: Path) -> None:
    async def run() -> int:
        repository = await aio.Repository.open(tmp_path)
        session = await repository.get_or_create("job")
        state = await session.load_json(default={"done": 0})
        async with session.writer() as writer:
            state["done"] += 1
            info = await writer.save_json(state, labels={"step": "1"})
            with pytest.raises(pitstop.Busy):
                await session.save(b"")
        assert [it.id async for it in repository] == ["job"]
        assert (await session.restore(info.revision)).labels == {"step": "1"}
        fork = await session.fork(revision=info.revision)
        assert (await fork.load_json()) == state
        assert await fork.remove() == []
        assert isinstance(state["done"], int)
        return state["done"]

    assert [asyncio.run(run()) for _ in range(3)] == [1, 2, 3]


def test_the_loop_runs_while_a_checkpoint_is_saved(session: pitstop.Session) -> None:
    async def run() -> int:
        turns = 0
        async with aio.Session(session).writer() as writer:
            saving = asyncio.ensure_future(writer.save(bytes(32 << 20)))
            while not saving.done():
                turns += 1
                await asyncio.sleep(0)
            assert (await saving).size == 32 << 20
        return turns

    # A loop that waited for the disk would come round once or twice.
    assert asyncio.run(run()) > 10


def test_a_cancelled_save_ends_before_the_writer_is_given_back(session: pitstop.Session) -> None:
    async def run() -> None:
        async with aio.Session(session).writer() as writer:
            await writer.save(b"before")
            saving = asyncio.ensure_future(writer.save(bytes(16 << 20)))
            await asyncio.sleep(0)
            saving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await saving
        session.save(b"after", follows=(await aio.Session(session).load()).info.revision)

    asyncio.run(run())
    assert session.load().data == b"after"
    sizes = [kept.info.size for kept in session.history().revisions]
    assert sizes in ([5, 16 << 20, 6], [5, 6])


def test_a_writer_that_is_cancelled_half_way_is_given_back(session: pitstop.Session) -> None:
    async def hold() -> None:
        async with aio.Session(session).writer() as writer:
            while True:
                await writer.save(b"again and again")

    async def run() -> None:
        for _ in range(20):
            task = asyncio.ensure_future(hold())
            await asyncio.sleep(0.001)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(run())
    with session.writer() as writer:
        writer.save(b"mine")
