"""Divides the events of a thread into parts, each of which can be read without the others.

The open part is the session of the thread: a head, and the events since the part began. What a part begins with, its
base, is a session of its own: the newest checkpoint of each namespace. Once a part is full its events are
saved there too, and it never changes again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import ormsgpack

from . import _format
from ._format import Entry, Key, Writes

PART = 256 * 1024
"""How many bytes of events a part has at most, or as many as its base, if that is larger."""

MAX_NAMESPACES = 8
"""How many namespaces a base has. The least recently written others are found in older parts."""


@dataclass(frozen=True)
class Head:
    """Begins the payload of each part."""

    first: int = 0
    """The number of the part, which only grows. That of the first part is random, so that none comes twice."""
    base: int = 0
    """How many bytes of events its base has."""
    sealed: tuple[int, ...] = ()
    """The full parts before it."""
    evicted: bool = False
    """Whether there are namespaces that only older parts have."""

    def payload(self, frames: bytes) -> bytes:
        """Returns the payload of a part with these events."""
        packed = ormsgpack.packb([1, self.first, self.base, self.sealed, self.evicted])
        return b"".join([len(packed).to_bytes(4, "little"), packed, frames])


def parse(payload: bytes) -> tuple[Head, bytes]:
    """Returns the head and the events of a payload. Raises `ValueError` if it is none."""
    start = 4 + int.from_bytes(payload[:4], "little")
    version, *fields = ormsgpack.unpackb(payload[4:start])
    if version != 1:
        raise ValueError(f"a newer version of Pitstop wrote this thread: format {version}")
    first, base, sealed, evicted = fields
    return Head(first, base, tuple(sealed), evicted), payload[start:]


@dataclass(frozen=True)
class State:
    """Is the open part, and the newest checkpoints."""

    head: Head = Head()
    frames: bytes = b""
    latest: Mapping[str, Entry] = field(default_factory=dict)
    """The newest checkpoint of each namespace, the last written namespace last."""
    tips: Mapping[str, Entry] = field(default_factory=dict)
    """The checkpoint that was put last in each namespace."""
    early: Mapping[Key, Writes] = field(default_factory=dict)
    """Writes that came before their checkpoint."""

    @classmethod
    def of(cls, head: Head, base: bytes, frames: bytes) -> State:
        """Returns the state after these events."""
        history = [*_format.events(base), *_format.events(frames)]
        last: dict[str, Key] = {}
        newest: dict[str, str] = {}
        put: set[Key] = set()
        for kind, ns, id, *_ in history:
            if kind == _format.PUT:
                last[ns] = (ns, id)
                newest[ns] = max(id, newest.pop(ns, id))
                put.add((ns, id))
        entries = _format.replay(history, {*newest.items(), *last.values()})
        early = {(it[1], it[2]) for it in history if it[0] == _format.WRITES} - put
        written = {key: _format.writes_of(history, key) for key in early}
        return cls(
            head,
            frames,
            {ns: entries[ns, id] for ns, id in newest.items()},
            {ns: entries[key] for ns, key in last.items()},
            written,
        )

    def find(self, key: Key) -> Entry | None:
        """Returns a checkpoint, if it is one of the newest."""
        candidates = (self.latest.get(key[0]), self.tips.get(key[0]))
        return next((it for it in candidates if it is not None and it.id == key[1]), None)

    def put(self, entry: Entry) -> State:
        """Returns the state after a checkpoint was put. It keeps the writes that came before it."""
        before = self.find(entry.key)
        written = {**self.early.get(entry.key, {}), **(before.writes if before else {}), **entry.writes}
        frames = _format.put(entry, self.tips.get(entry.ns))
        if entry.writes:
            frames += _format.writes(entry.key, entry.writes)
        entry = replace(entry, writes=written)
        latest, tips = dict(self.latest), dict(self.tips)
        newest = latest.pop(entry.ns, entry)
        latest[entry.ns] = entry if entry.id >= newest.id else newest
        tips[entry.ns] = entry
        early = {key: it for key, it in self.early.items() if key != entry.key}
        return State(self.head, self.frames + frames, latest, tips, early)

    def write(self, key: Key, added: Writes) -> State:
        """Returns the state after writes to a checkpoint that `find` returns, or that was not put yet."""
        frames = self.frames + _format.writes(key, added)
        entry = self.find(key)
        if entry is None:
            early = {**self.early, key: {**self.early.get(key, {}), **added}}
            return replace(self, frames=frames, early=early)
        written = replace(entry, writes={**entry.writes, **added})

        def renewed(entries: Mapping[str, Entry]) -> dict[str, Entry]:
            return {ns: written if it.key == key else it for ns, it in entries.items()}

        return replace(self, frames=frames, latest=renewed(self.latest), tips=renewed(self.tips))

    @property
    def is_full(self) -> bool:
        """Whether the next part is to begin."""
        return len(self.frames) > max(PART, self.head.base)

    def next_part(self) -> tuple[State, bytes]:
        """Returns the state at the begin of the next part, and its base."""
        namespaces = [ns for ns in self.latest if ns][-MAX_NAMESPACES + 1 :]
        kept = [it for ns, it in self.latest.items() if not ns or ns in namespaces]
        state, base = begin(kept, self.head.first + len(self.frames), self.early)
        sealed = (*self.head.sealed, self.head.first)
        evicted = self.head.evicted or len(kept) < len(self.latest)
        return replace(state, head=replace(state.head, sealed=sealed, evicted=evicted)), base


def begin(entries: list[Entry], first: int, early: Mapping[Key, Writes]) -> tuple[State, bytes]:
    """Returns the state of a part that begins with these checkpoints, and its base."""
    state = State()
    for entry in entries:
        state = state.put(entry)
    for key, added in early.items():
        state = state.write(key, added)
    base = state.frames
    return replace(state, head=Head(first, len(base)), frames=b""), base


def located(frames: bytes) -> dict[Key, Any]:
    """Returns the serialized metadata of each checkpoint that these events put."""
    return {(it[1], it[2]): (it[6], it[7]) for it in _format.events(frames) if it[0] == _format.PUT}
