"""The same for asyncio."""

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor
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


def test_it_offers_everything_that_is_synchronous() -> None:
    for name in ("Repository", "Session", "Writer"):
        sync = {it for it in vars(getattr(pitstop, name)) if not it.startswith("_")}
        # What makes a repository is synchronous, and `open` takes it.
        sync -= {"in_memory", "plainbox", "default_location", "plainbox_location"}
        assert sync <= set(vars(getattr(aio, name))) | {"session"}, name


def test_calls_leave_the_executor_of_the_loop_alone(session: pitstop.Session) -> None:
    async def run() -> None:
        loop, blocked, free = asyncio.get_running_loop(), threading.Event(), threading.Event()
        loop.set_default_executor(ThreadPoolExecutor(1))

        def hog() -> None:
            blocked.set()
            free.wait()

        hogging = loop.run_in_executor(None, hog)
        blocked.wait()
        await asyncio.wait_for(aio.Session(session).save(b"data"), 30)
        threads = [it for it in threading.enumerate() if it.name.startswith("pitstop")]
        await asyncio.gather(*(aio.Session(session).load() for _ in range(100)))
        assert 0 < len(threads) <= 8
        free.set()
        await hogging

    asyncio.run(run())


def test_a_writer_outside_of_its_block_explains_itself(session: pitstop.Session) -> None:
    writer = aio.Session(session).writer()
    assert writer.closed
    with pytest.raises(RuntimeError, match="async with"):
        asyncio.run(writer.save(b""))


def test_waiting_for_a_writer_takes_no_thread_from_it(session: pitstop.Session) -> None:
    async def wait() -> None:
        async with aio.Session(session).writer(timeout=30) as writer:
            await writer.save(b"mine")

    async def run() -> None:
        async with aio.Session(session).writer() as holder:
            waiting = [asyncio.ensure_future(wait()) for _ in range(20)]
            await asyncio.sleep(0.1)
            await holder.save(b"first")
        await asyncio.gather(*waiting)

    asyncio.run(run())
    assert session.load().info.revision == pitstop.Revision(21)


def test_a_fork_has_threads_of_its_own(session: pitstop.Session) -> None:
    asyncio.run(aio.Session(session).save(b"parent"))
    child = os.fork()
    if child == 0:
        asyncio.run(aio.Session(session).save(b"child"))
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert session.load().data == b"child"
