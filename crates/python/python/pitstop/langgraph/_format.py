"""Encodes what happens to a thread as a sequence of events.

A checkpoint is stored as its difference from the one before it in its namespace: a channel that did not change takes
its name, and of one that grew only the new bytes are stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

import ormsgpack

Serialized = tuple[str, bytes]
"""What `SerializerProtocol.dumps_typed` returns: a type and bytes."""

Key = tuple[str, str]
"""A namespace and the id of a checkpoint in it."""

Writes = Mapping[tuple[str, int], "Write"]
"""The writes of tasks, by the task and an index."""

PUT, WRITES = "p", "w"


@dataclass(frozen=True)
class Write:
    """Is a pending write of a task."""

    channel: str
    path: str
    value: Serialized


@dataclass(frozen=True)
class Entry:
    """Is a LangGraph checkpoint with its pending writes."""

    ns: str
    id: str
    parent: Optional[str]
    rest: Serialized
    """The checkpoint without the values of its channels."""
    channels: Mapping[str, Serialized]
    metadata: Serialized
    writes: Writes = field(default_factory=dict)

    @property
    def key(self) -> Key:
        """Its namespace and id."""
        return self.ns, self.id


def put(entry: Entry, tip: Entry | None) -> bytes:
    """Encodes a checkpoint without its writes. `tip` is the one that was put before it in its namespace."""
    before = tip.channels if tip else {}
    channels = [_difference(name, value, before.get(name)) for name, value in entry.channels.items()]
    return _frame([PUT, entry.ns, entry.id, entry.parent, *entry.rest, *entry.metadata, channels])


def writes(key: Key, added: Writes) -> bytes:
    """Encodes writes."""
    return _frame([WRITES, *key, [[*at, it.channel, it.path, *it.value] for at, it in added.items()]])


def _frame(event: list[Any]) -> bytes:
    packed = ormsgpack.packb(event)
    return len(packed).to_bytes(4, "little") + packed


def _difference(name: str, new: Serialized, old: Serialized | None) -> list[Any]:
    if old is None or old[0] != new[0]:
        return [name, *new]
    if new[1] is old[1] or new[1] == old[1]:
        return [name]
    return [name, *_splices(old[1], new[1])]


def _splices(old: bytes, new: bytes) -> tuple[list[list[Any]], int, int, bytes]:
    """Returns bytes to overwrite, and then how much to keep at the start and end, and what comes between.

    What grows often has its length near its start.
    """
    overwritten: list[list[Any]] = []
    start = _common(old, new, 0)
    while len(overwritten) < 16:
        sizes = (size for size in (1, 2, 4, 8, 16, 32, 64) if _is_equal(old, new, start + size))
        size = next(sizes, 0)
        if not size:
            break
        overwritten.append([start, new[start : start + size]])
        start = _common(old, new, start + size)
    limit = min(len(old), len(new)) - start
    end = _common_end(old, new, limit)
    return overwritten, start, end, new[start : len(new) - end]


def _is_equal(one: bytes, other: bytes, start: int) -> bool:
    part = one[start : start + 32]
    return len(part) == 32 and part == other[start : start + 32]


def _common(one: bytes, other: bytes, start: int) -> int:
    """Returns where the two differ first, from a position on at which they are equal."""
    end, step = min(len(one), len(other)), 65536
    while start < end:
        step = min(step, end - start)
        if one[start : start + step] == other[start : start + step]:
            start += step
        elif step == 1:
            break
        else:
            step = (step + 1) // 2
    return start


def _common_end(one: bytes, other: bytes, limit: int) -> int:
    """Returns how many bytes at the end are equal, up to a limit."""
    size, step = 0, 65536
    while size < limit:
        step = min(step, limit - size)
        a, b = len(one) - size, len(other) - size
        if one[a - step : a] == other[b - step : b]:
            size += step
        elif step == 1:
            break
        else:
            step = (step + 1) // 2
    return size


def events(frames: bytes) -> Iterator[list[Any]]:
    """Decodes events."""
    view, position = memoryview(frames), 0
    while position < len(view):
        start = position + 4
        position = start + int.from_bytes(view[position:start], "little")
        if position > len(view):
            raise ValueError("an event of the thread is cut short")
        yield ormsgpack.unpackb(view[start:position])


def replay(history: Iterable[list[Any]], wanted: set[Key]) -> dict[Key, Entry]:
    """Returns those of the wanted checkpoints that were put, with their writes."""
    tips: dict[str, dict[str, tuple[str, bytearray]]] = {}
    found: dict[Key, Entry] = {}
    written: dict[Key, dict[tuple[str, int], Write]] = {key: {} for key in wanted}
    for event in history:
        key = (event[1], event[2])
        if event[0] == WRITES:
            if key in wanted:
                written[key].update(_decoded(event[3]))
            continue
        channels = tips[event[1]] = _applied(event[8], tips.get(event[1], {}))
        if key in wanted:
            values = {name: (type, bytes(value)) for name, (type, value) in channels.items()}
            rest, metadata = (event[4], event[5]), (event[6], event[7])
            found[key] = Entry(*key, event[3], rest, values, metadata, written[key])
    return found


def _decoded(described: list[list[Any]]) -> dict[tuple[str, int], Write]:
    return {
        (task, index): Write(channel, path, (type, value))
        for task, index, channel, path, type, value in described
    }


def _applied(
    differences: list[list[Any]], tip: dict[str, tuple[str, bytearray]]
) -> dict[str, tuple[str, bytearray]]:
    """Returns the channels after a put. It changes those of the tip, which is not needed any more."""
    channels = {}
    for name, *difference in differences:
        if not difference:
            channels[name] = tip[name]
        elif len(difference) == 2:
            channels[name] = (difference[0], bytearray(difference[1]))
        else:
            overwritten, prefix, suffix, middle = difference
            type, value = tip[name]
            for at, part in overwritten:
                value[at : at + len(part)] = part
            value[prefix : len(value) - suffix] = middle
            channels[name] = (type, value)
    return channels


def writes_of(history: Iterable[list[Any]], key: Key) -> dict[tuple[str, int], Write]:
    """Returns the writes to a checkpoint, whether it was put or not."""
    written: dict[tuple[str, int], Write] = {}
    for event in history:
        if event[0] == WRITES and (event[1], event[2]) == key:
            written.update(_decoded(event[3]))
    return written
