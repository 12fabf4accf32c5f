"""Encodes the state of a thread as the payload of a checkpoint of Pitstop.

A payload holds the newest LangGraph checkpoint of each namespace with its pending writes, so that the newest
state takes one read, and one payload differs little from the next. Older checkpoints are in older revisions.

    the serialized values, one after the other | a JSON object that describes them | its length: 4 bytes
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

Serialized = tuple[str, bytes]
"""What `SerializerProtocol.dumps_typed` returns: a type and bytes."""

MAX_NAMESPACES = 8
"""How many namespaces a payload holds. The least recently written others are found in older revisions."""


@dataclass(frozen=True)
class Write:
    """Is a pending write of a task."""

    channel: str
    value: Serialized
    path: str


@dataclass(frozen=True)
class Entry:
    """Is a LangGraph checkpoint with its pending writes, by task and index."""

    ns: str
    id: str
    parent: str | None = None
    checkpoint: Serialized | None = None
    """None where the writes came before their checkpoint."""
    metadata: Serialized = ("", b"")
    writes: Mapping[tuple[str, int], Write] = field(default_factory=dict)

    def has(self, ns: str, id: str) -> bool:
        """Returns whether it is the checkpoint of this namespace and id."""
        return (self.ns, self.id) == (ns, id)


@dataclass(frozen=True)
class State:
    """Is the content of a payload."""

    latest: Mapping[str, Entry] = field(default_factory=dict)
    """The newest checkpoint of each namespace, the last written namespace last."""
    extra: Entry | None = None
    """The entry that was written, if it is no newest one."""
    floor: int = 0
    """Lower revisions are deleted."""
    evicted: bool = False
    """Whether there are namespaces that only older revisions hold."""

    def find(self, ns: str, id: str) -> Entry | None:
        """Returns the entry of this namespace and id, if it is in this payload."""
        entries = (self.latest.get(ns), self.extra)
        return next((it for it in entries if it is not None and it.has(ns, id)), None)

    def updated(self, entry: Entry) -> State:
        """Returns the state after this entry is written."""
        latest = dict(self.latest)
        newest = latest.pop(entry.ns, None)
        is_newest = entry.checkpoint is not None and (newest is None or entry.id >= newest.id)
        if is_newest:
            latest[entry.ns] = entry
        elif newest is not None:
            latest[entry.ns] = newest
        evicted = [ns for ns in latest if ns][: max(0, len(latest) - MAX_NAMESPACES)]
        for ns in evicted:
            del latest[ns]
        extra = None if is_newest else entry
        return replace(self, latest=latest, extra=extra, evicted=self.evicted or bool(evicted))


def encode(state: State) -> bytes:
    """Returns the payload of a state."""
    values: list[bytes] = []
    header = {
        "v": 1,
        "floor": state.floor,
        "evicted": state.evicted,
        "latest": [_describe(it, values) for it in state.latest.values()],
        "extra": state.extra and _describe(state.extra, values),
    }
    text = json.dumps(header, separators=(",", ":")).encode()
    return b"".join([*values, text, len(text).to_bytes(4, "little")])


def _describe(entry: Entry, values: list[bytes]) -> dict[str, Any]:
    def put(serialized: Serialized) -> list[Any]:
        values.append(serialized[1])
        return [serialized[0], len(serialized[1])]

    return {
        "ns": entry.ns,
        "id": entry.id,
        "parent": entry.parent,
        "checkpoint": entry.checkpoint and put(entry.checkpoint),
        "metadata": put(entry.metadata),
        "writes": [[*key, w.channel, w.path, put(w.value)] for key, w in entry.writes.items()],
    }


def decode(payload: bytes) -> State:
    """Returns the state in a payload. Raises `ValueError` if it is none."""
    end = len(payload) - 4
    start = end - int.from_bytes(payload[end:], "little")
    header = json.loads(payload[max(0, start) : end])
    if header["v"] != 1:
        raise ValueError(f"a newer version of Pitstop wrote this thread: format {header['v']}")
    position = 0

    def take(described: list[Any]) -> Serialized:
        nonlocal position
        position += described[1]
        return described[0], payload[position - described[1] : position]

    def entry(it: dict[str, Any]) -> Entry:
        return Entry(
            ns=it["ns"],
            id=it["id"],
            parent=it["parent"],
            checkpoint=it["checkpoint"] and take(it["checkpoint"]),
            metadata=take(it["metadata"]),
            writes={(task, index): Write(channel, take(value), path) for task, index, channel, path, value in it["writes"]},
        )

    latest = {it["ns"]: entry(it) for it in header["latest"]}
    extra = header["extra"] and entry(header["extra"])
    return State(latest, extra, header["floor"], header["evicted"])
