"""Saves in a session that other processes save in too, for the stores of agents."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Generic, TypeVar, Union

import pitstop

K = TypeVar("K")
M = TypeVar("M")
T = TypeVar("T")

Location = Union[str, "os.PathLike[str]", pitstop.Repository, None]


def open_repository(location: Location) -> pitstop.Repository:
    """Opens the repository at a location, unless it is open."""
    return location if isinstance(location, pitstop.Repository) else pitstop.Repository(location)


class Held(Generic[T]):
    """Reads and changes the value that a session holds.

    A change follows the revision that was read: where another process saved first, it is made again of the value
    that is there. The writer stays open between changes that follow each other closely. Reading takes no lock.
    """

    def __init__(
        self,
        session: pitstop.Session,
        empty: T,
        decode: Callable[[pitstop.Checkpoint], T],
        *,
        timeout: float,
        holding: Holding,
    ) -> None:
        self.session = session
        self._empty, self._decode = empty, decode
        self._timeout, self._holding = timeout, holding
        self._writing = threading.RLock()
        self._writer: pitstop.Writer | None = None
        self._used = 0.0
        self._known = (pitstop.Revision.NONE, empty)

    def read(self) -> tuple[pitstop.Revision, T]:
        """Returns the newest revision and its value; `Revision.NONE` and the empty one without a checkpoint."""
        # While this process is the writer nobody else saves.
        return self._known if self._writer is not None else self._load()

    def _load(self) -> tuple[pitstop.Revision, T]:
        known = self._known
        try:
            loaded = self.session.load()
        except (pitstop.NotFound, pitstop.NoCheckpoint):
            return pitstop.Revision.NONE, self._empty
        return known if loaded.info.revision == known[0] else (loaded.info.revision, self._decode(loaded))

    def change(self, step: Callable[[pitstop.Revision, T], None]) -> None:
        """Calls `step` with the newest value, as the writer, and again where its `save` came too late."""
        with self._writing:
            try:
                self._open()
                while True:
                    try:
                        return step(*self._known)
                    except pitstop.Conflict:
                        self._known = self._load()
            finally:
                self._used = time.monotonic()
                self._holding.add(self)

    def _open(self) -> None:
        if self._writer is None:
            try:
                writer = self.session.writer(timeout=self._timeout)
            except pitstop.NotFound:
                self.session.repository.get_or_create(self.session.id)
                writer = self.session.writer(timeout=self._timeout)
            try:
                self._known = self._load()
            except BaseException:
                writer.close()
                raise
            self._writer = writer

    def save(
        self, value: T, payload: bytes, *, labels: Mapping[str, str], keep: pitstop.Retention
    ) -> pitstop.Revision:
        """Saves a value, inside of `change`, and returns its revision."""
        assert self._writer is not None
        info = self._writer.save(payload, labels=labels, follows=self._known[0], keep=keep)
        self._known = (info.revision, value)
        return info.revision

    def remove(self) -> None:
        """Removes the session."""
        with self._writing:
            self.close()
            end = time.monotonic() + self._timeout
            while True:
                try:
                    with suppress(pitstop.NotFound):
                        self.session.remove()
                    self._known = (pitstop.Revision.NONE, self._empty)
                    return
                except pitstop.Busy:
                    if time.monotonic() >= end:
                        raise
                time.sleep(0.05)

    def close(self, idle: float = 0.0) -> bool:
        """Closes the writer if it was idle for so many seconds. Returns whether it is closed."""
        if not self._writing.acquire(blocking=idle == 0.0):
            return False
        try:
            if self._writer is not None and time.monotonic() - self._used >= idle:
                self._writer.close()
                self._writer = None
            return self._writer is None
        finally:
            self._writing.release()


class Holding:
    """Closes the writers of its members once they are idle for `seconds`; at once if that is 0."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._members: set[Held[Any]] = set()
        self._is_running = False

    def add(self, member: Held[Any]) -> None:
        """Watches a member from now on, until it was idle."""
        if self._seconds == 0:
            member.close()
            return
        with self._lock:
            self._members.add(member)
            if not self._is_running:
                self._is_running = True
                threading.Thread(target=self._run, name="pitstop-holding", daemon=True).start()

    def _run(self) -> None:
        while True:
            time.sleep(self._seconds / 2)
            with self._lock:
                self._members = {it for it in self._members if not it.close(self._seconds)}
                if not self._members:
                    self._is_running = False
                    return

    def close(self) -> None:
        """Closes all writers."""
        with self._lock:
            members, self._members = self._members, set()
        for member in members:
            member.close()


class Members(Generic[K, M]):
    """Makes each member of a store once in a process, and closes their writers when the store ends."""

    def __init__(self, make: Callable[[K, Holding], M], *, hold: float) -> None:
        self._make, self._hold = make, hold
        self._lock = threading.Lock()
        self._renew()

    def _renew(self) -> None:
        self._process = os.getpid()
        self._members: dict[K, M] = {}
        self._holding = Holding(self._hold)
        weakref.finalize(self, self._holding.close)

    def __getitem__(self, key: K) -> M:
        if self._process != os.getpid():
            # A fork has no part in the writers and locks of its parent.
            self._lock = threading.Lock()
            self._renew()
        with self._lock:
            if key not in self._members:
                self._members[key] = self._make(key, self._holding)
            return self._members[key]

    def close(self) -> None:
        """Closes all writers."""
        self._holding.close()
