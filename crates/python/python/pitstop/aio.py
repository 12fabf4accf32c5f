"""Pitstop for asyncio: the same names, whose methods are awaited.

    from pitstop import aio

    repository = await aio.Repository.open()
    session = await repository.get_or_create("nightly-import")
    async with session.writer() as writer:
        await writer.save_json({"done": 1})

Each call runs in a thread of the loop's default executor, so that the loop never waits for a disk. What is used
more seldom is in `.sync`, the object behind: `await asyncio.to_thread(session.sync.verify)`.

Cancellation: a save that has begun is not stopped, and its outcome is not told; it is saved, or it fails, as
if nobody had cancelled. The writer is given back only after it, even if its `async with` was cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypedDict, final

import pitstop

from ._pitstop import dump_json

if TYPE_CHECKING:
    from typing_extensions import Buffer, Self, Unpack

    _Format = Literal["journal", "plain"]
    _Revision = pitstop.Revision | int | str

    class _SaveOptions(TypedDict, total=False):
        labels: Mapping[str, str] | None
        follows: _Revision | None
        keep: pitstop.Retention | None

    class _CreateOptions(TypedDict, total=False):
        prefix: str
        format: _Format | None
        replace_last: bool

__all__ = ["Repository", "Session", "Writer"]


@final
class Repository:
    """A place that holds sessions."""

    def __init__(self, repository: pitstop.Repository) -> None:
        self.sync = repository

    @classmethod
    async def open(
        cls,
        location: str | PathLike[str] | None = None,
        *,
        format: _Format | None = None,
    ) -> Self:
        """`pitstop.Repository(location, format=format)`."""
        return cls(await asyncio.to_thread(pitstop.Repository, location, format=format))

    @property
    def location(self) -> Path | str:
        return self.sync.location

    async def create(self, id: str | None = None, **options: Unpack[_CreateOptions]) -> Session:
        return Session(await asyncio.to_thread(self.sync.create, id, **options))

    async def get(self, id: str) -> Session:
        return Session(await asyncio.to_thread(self.sync.get, id))

    async def get_or_create(self, id: str) -> Session:
        return Session(await asyncio.to_thread(self.sync.get_or_create, id))

    async def list(
        self, *, labels: Mapping[str, str | None] | None = None, in_full: bool = False
    ) -> pitstop.Listing:
        return await asyncio.to_thread(self.sync.list, labels=labels, in_full=in_full)

    async def last(self) -> Session | None:
        last = await asyncio.to_thread(self.sync.last)
        return None if last is None else Session(last)

    async def __aiter__(self) -> AsyncIterator[Session]:
        for session in await asyncio.to_thread(list, self.sync):
            yield Session(session)


@final
class Session:
    """A named thing in a repository that holds a program's checkpoints."""

    def __init__(self, session: pitstop.Session) -> None:
        self.sync = session

    @property
    def id(self) -> str:
        return self.sync.id

    @property
    def location(self) -> Path | None:
        return self.sync.location

    async def load(self) -> pitstop.Checkpoint:
        return await asyncio.to_thread(self.sync.load)

    async def load_json(self, default: Any = None) -> Any:
        return await asyncio.to_thread(self.sync.load_json, default)

    async def load_revision(self, revision: _Revision) -> pitstop.Checkpoint:
        return await asyncio.to_thread(self.sync.load_revision, revision)

    async def history(self) -> pitstop.History:
        return await asyncio.to_thread(self.sync.history)

    async def save(self, data: Buffer, **options: Unpack[_SaveOptions]) -> pitstop.CheckpointInfo:
        return await asyncio.to_thread(self.sync.save, data, **options)

    async def save_json(self, state: Any, **options: Unpack[_SaveOptions]) -> pitstop.CheckpointInfo:
        return await self.save(dump_json(state), **options)

    async def restore(self, revision: _Revision) -> pitstop.CheckpointInfo:
        return await asyncio.to_thread(self.sync.restore, revision)

    async def fork(
        self, id: str | None = None, *, revision: _Revision | None = None, prefix: str = ""
    ) -> Session:
        return Session(
            await asyncio.to_thread(self.sync.fork, id, revision=revision, prefix=prefix)
        )

    def writer(self) -> Writer:
        """The writer, once it is entered with `async with`."""
        return Writer(self)

    async def status(self) -> pitstop.Status:
        return await asyncio.to_thread(self.sync.status)

    async def unlock(self) -> Path | None:
        return await asyncio.to_thread(self.sync.unlock)

    async def make_last(self) -> None:
        await asyncio.to_thread(self.sync.make_last)

    async def remove(self) -> list[pitstop.Error]:
        return await asyncio.to_thread(self.sync.remove)


@final
class Writer:
    """The one writer of a session, from `async with` on."""

    def __init__(self, session: Session) -> None:
        self.session = session

    async def __aenter__(self) -> Self:
        taking = asyncio.ensure_future(asyncio.to_thread(self.session.sync.writer))
        try:
            self.sync = await asyncio.shield(taking)
        except asyncio.CancelledError:
            # Whoever is told of the cancellation finds the place free.
            await asyncio.wait([taking])
            if taking.exception() is None:
                taking.result().close()
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        closing = asyncio.ensure_future(asyncio.to_thread(self.sync.close))
        try:
            await asyncio.shield(closing)
        except asyncio.CancelledError:
            await asyncio.wait([closing])
            raise

    async def save(
        self, data: Buffer, **options: Unpack[_SaveOptions]
    ) -> pitstop.CheckpointInfo:
        return await asyncio.to_thread(self.sync.save, data, **options)

    async def save_json(
        self, state: Any, **options: Unpack[_SaveOptions]
    ) -> pitstop.CheckpointInfo:
        # Made into JSON here: nobody changes the state meanwhile.
        return await self.save(dump_json(state), **options)

    async def restore(self, revision: _Revision) -> pitstop.CheckpointInfo:
        return await asyncio.to_thread(self.sync.restore, revision)
