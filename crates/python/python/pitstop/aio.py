"""Offers Pitstop to asyncio: the same names and methods, which are awaited.

    from pitstop import aio

    repository = await aio.Repository.open()
    session = await repository.get_or_create("nightly-import")
    async with session.writer() as writer:
        await writer.save_json({"done": 1})

Each call runs in one of 8 threads that belong to Pitstop, so that the loop never waits for a disk, and the loop's
default executor stays free. `.sync` is the synchronous object behind.

Cancellation: a save that has begun continues, and its outcome is not reported. The writer is closed only after
it, even if its `async with` was cancelled.
"""

from __future__ import annotations

import asyncio
import functools
import time
from typing import TYPE_CHECKING, Any, Literal, TypeVar, final

import pitstop

from ._executor import call
from ._pitstop import dump_json

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
    from os import PathLike
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Concatenate, ParamSpec, Self

    _P = ParamSpec("_P")
    _Revision = pitstop.Revision | int | str

S = TypeVar("S")
T = TypeVar("T")

__all__ = ["Repository", "Session", "Writer"]


def _awaited(
    method: Callable[Concatenate[S, _P], T],
) -> Callable[Concatenate[Any, _P], Coroutine[Any, Any, T]]:
    """Makes a method of a synchronous object one that is awaited."""

    @functools.wraps(method)
    async def run(self: Any, /, *args: _P.args, **options: _P.kwargs) -> T:
        return await call(method, self.sync, *args, **options)

    return run


def _session(
    method: Callable[Concatenate[S, _P], pitstop.Session],
) -> Callable[Concatenate[Any, _P], Coroutine[Any, Any, Session]]:
    """Does the same of one that returns a session."""

    @functools.wraps(method)
    async def run(self: Any, /, *args: _P.args, **options: _P.kwargs) -> Session:
        return Session(await call(method, self.sync, *args, **options))

    return run


@final
class Repository:
    """Holds sessions: a directory, or a prefix of an object store."""

    def __init__(self, repository: pitstop.Repository) -> None:
        self.sync = repository

    @classmethod
    async def open(
        cls,
        location: str | PathLike[str] | None = None,
        *,
        format: Literal["journal", "plain"] | None = None,
    ) -> Self:
        """Opens `pitstop.Repository(location, format=format)`."""
        return cls(await call(pitstop.Repository, location, format=format))

    @property
    def location(self) -> Path | str:
        """The absolute path or, in an object store, the URL (a `str`)."""
        return self.sync.location

    create = _session(pitstop.Repository.create)
    get = _session(pitstop.Repository.get)
    get_or_create = _session(pitstop.Repository.get_or_create)
    import_ = _session(pitstop.Repository.import_)
    restore_from_trash = _session(pitstop.Repository.restore_from_trash)
    list = _awaited(pitstop.Repository.list)
    trash = _awaited(pitstop.Repository.trash)
    delete_from_trash = _awaited(pitstop.Repository.delete_from_trash)
    prune = _awaited(pitstop.Repository.prune)
    sweep = _awaited(pitstop.Repository.sweep)

    def session(self, id: str) -> Session:
        """Returns the session of this name without a check that it exists: its next call checks."""
        return Session(self.sync.session(id))

    async def last(self) -> Session | None:
        """Returns the last session, the one to resume, if it exists."""
        last = await call(self.sync.last)
        return None if last is None else Session(last)

    async def __aiter__(self) -> AsyncIterator[Session]:
        for session in await call(tuple, self.sync):
            yield Session(session)

    def __repr__(self) -> str:
        return f"<aio {self.sync!r}>"


@final
class Session:
    """Names a state in a repository: its checkpoints and, locally, a directory for the program's files."""

    def __init__(self, session: pitstop.Session) -> None:
        self.sync = session

    @classmethod
    def in_directory(cls, directory: str | PathLike[str]) -> Self:
        """Returns the session in a directory of any name. Its next call checks that it exists."""
        return cls(pitstop.Session.in_directory(directory))

    @property
    def id(self) -> str:
        """The name of the session."""
        return self.sync.id

    @property
    def repository(self) -> Repository:
        """The repository that holds the session."""
        return Repository(self.sync.repository)

    @property
    def location(self) -> Path | None:
        """The directory for the program's files, on a local disk."""
        return self.sync.location

    @property
    def session_file(self) -> Path | None:
        """The path of the newest checkpoint of a plain session, saved or not."""
        return self.sync.session_file

    load = _awaited(pitstop.Session.load)
    load_json = _awaited(pitstop.Session.load_json)
    load_revision = _awaited(pitstop.Session.load_revision)
    open_checkpoint = _awaited(pitstop.Session.open_checkpoint)
    history = _awaited(pitstop.Session.history)
    save = _awaited(pitstop.Session.save)
    save_from = _awaited(pitstop.Session.save_from)
    restore = _awaited(pitstop.Session.restore)
    fork = _session(pitstop.Session.fork)
    status = _awaited(pitstop.Session.status)
    unlock = _awaited(pitstop.Session.unlock)
    make_last = _awaited(pitstop.Session.make_last)
    remove = _awaited(pitstop.Session.remove)
    trash = _awaited(pitstop.Session.trash)
    verify = _awaited(pitstop.Session.verify)
    repair = _awaited(pitstop.Session.repair)
    prune = _awaited(pitstop.Session.prune)
    export = _awaited(pitstop.Session.export)
    convert = _awaited(pitstop.Session.convert)

    async def save_json(
        self,
        state: Any,
        *,
        labels: Mapping[str, str] | None = None,
        follows: _Revision | None = None,
        keep: pitstop.Retention | None = None,
    ) -> pitstop.CheckpointInfo:
        """Saves a state as JSON, as it is when this is called."""
        return await self.save(dump_json(state), labels=labels, follows=follows, keep=keep)

    async def copy_to(
        self,
        destination: Repository,
        id: str | None = None,
        *,
        format: Literal["journal", "plain"] | None = None,
    ) -> Session:
        """Copies the session to another repository, as `pitstop.Session.copy_to` does."""
        return Session(await call(self.sync.copy_to, destination.sync, id, format=format))

    def writer(self, *, timeout: float = 0.0) -> Writer:
        """Returns the writer, which `async with` opens. It waits at most `timeout` seconds for another one."""
        return Writer(self, timeout)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Session) and self.sync == other.sync

    def __hash__(self) -> int:
        return hash(self.sync)

    def __repr__(self) -> str:
        return f"<aio {self.sync!r}>"


@final
class Writer:
    """Saves in a session, as the one process that may, inside of `async with`."""

    def __init__(self, session: Session, timeout: float = 0.0) -> None:
        self.session = session
        self._timeout = timeout
        self._sync: pitstop.Writer | None = None

    @property
    def sync(self) -> pitstop.Writer:
        """The synchronous writer behind. Raises `RuntimeError` outside of `async with`."""
        if self._sync is None:
            raise RuntimeError("this writer is not open: use 'async with session.writer() as writer'")
        return self._sync

    @property
    def closed(self) -> bool:
        """Whether it is not open."""
        return self._sync is None or self._sync.closed

    async def __aenter__(self) -> Self:
        end = time.monotonic() + self._timeout
        while True:
            try:
                self._sync = await self._open()
                return self
            except (pitstop.Busy, pitstop.Locked):
                # Waiting here takes no thread from a writer that is about to close.
                if time.monotonic() >= end:
                    raise
            await asyncio.sleep(0.05)

    async def _open(self) -> pitstop.Writer:
        opening = call(self.session.sync.writer)
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            # When the cancellation is reported the session is free again.
            await asyncio.wait([opening])
            if opening.exception() is None:
                opening.result().close()
            raise

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        closing = call(self.sync.close)
        try:
            await asyncio.shield(closing)
        except asyncio.CancelledError:
            await asyncio.wait([closing])
            raise

    save = _awaited(pitstop.Writer.save)
    save_from = _awaited(pitstop.Writer.save_from)
    restore = _awaited(pitstop.Writer.restore)
    close = _awaited(pitstop.Writer.close)

    async def save_json(
        self,
        state: Any,
        *,
        labels: Mapping[str, str] | None = None,
        follows: _Revision | None = None,
        keep: pitstop.Retention | None = None,
    ) -> pitstop.CheckpointInfo:
        """Saves a state as JSON, as it is when this is called."""
        return await self.save(dump_json(state), labels=labels, follows=follows, keep=keep)

    def __repr__(self) -> str:
        return f"<aio writer of {self.session.sync!r}>"
