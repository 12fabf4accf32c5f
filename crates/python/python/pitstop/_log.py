"""Keeps a log of lines in sessions: one that is appended to, and one for each part that is full.

A payload holds the lines of a part, a JSON object that describes them, and its length: 4 bytes. Each append saves
the open part again, of which Pitstop writes the difference. A part that is full is saved in a session of its
own, which never changes once the open part refers to it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import pitstop

from ._held import Held, Holding

PART = 512 * 1024
"""The maximum size of an open part in bytes, unless one append is larger."""


@dataclass(frozen=True)
class Part:
    """Is a payload."""

    first: int = 0
    """The position of its first line in the log."""
    count: int = 0
    lines: bytes = b""
    sealed: tuple[tuple[str, int], ...] = ()
    """The sessions of the full parts before it, and the position of the first line of each."""
    meta: Mapping[str, Any] = field(default_factory=dict)
    """What the client keeps beside the lines."""

    @property
    def end(self) -> int:
        """The position behind its last line."""
        return self.first + self.count

    def after(self, position: int) -> list[bytes]:
        """Returns its lines from a position on."""
        return self.lines.splitlines()[max(0, position - self.first) :]

    def encode(self) -> bytes:
        """Returns the payload."""
        described = {"v": 1, "first": self.first, "count": self.count, "sealed": self.sealed, "meta": self.meta}
        text = json.dumps(described, separators=(",", ":")).encode()
        return b"".join([self.lines, text, len(text).to_bytes(4, "little")])

    @classmethod
    def of(cls, checkpoint: pitstop.Checkpoint) -> Part:
        """Returns the part in a checkpoint. Raises `ValueError` if it is none."""
        payload = checkpoint.data
        end = len(payload) - 4
        start = max(0, end - int.from_bytes(payload[end:], "little"))
        it = json.loads(payload[start:end])
        if it["v"] != 1:
            raise ValueError(f"a newer version of Pitstop wrote this log: format {it['v']}")
        sealed = tuple((name, first) for name, first in it["sealed"])
        return cls(it["first"], it["count"], payload[:start], sealed, it["meta"])


class Log:
    """Appends to a log and reads it. Reading takes no lock and gives whole appends."""

    def __init__(
        self, session: pitstop.Session, labels: Mapping[str, str], *, timeout: float, holding: Holding
    ) -> None:
        self._labels = labels
        self._held = Held(session, Part(), Part.of, timeout=timeout, holding=holding)

    @property
    def session(self) -> pitstop.Session:
        """The session of the open part."""
        return self._held.session

    def part(self) -> Part | None:
        """Returns the open part; None if nothing was appended."""
        revision, part = self._held.read()
        return None if revision == pitstop.Revision.NONE else part

    def read(self, start: int = 0) -> Iterator[bytes]:
        """Reads the lines from a position on, as they are when this is called."""
        part = self.part() or Part()
        ends = [first for _, first in part.sealed[1:]] + [part.first]
        for (name, _), end in zip(part.sealed, ends):
            if end > start:
                yield from Part.of(self._sealed(name).load()).after(start)
        yield from part.after(start)

    def _sealed(self, name: str) -> pitstop.Session:
        return self.session.repository.session(name)

    def append(
        self, choose: Callable[[Part], list[bytes]], fold: Callable[[Part], Mapping[str, Any]] | None = None
    ) -> None:
        """Appends the lines that `choose` returns for the newest part, all or none; durable when it returns.

        `fold` returns what is kept beside the lines from now on.
        """

        def step(_: pitstop.Revision, part: Part) -> None:
            if lines := choose(part):
                extended = self._extended(part, lines, part.meta if fold is None else fold(part))
                keep = pitstop.Retention.revisions(2)
                self._held.save(extended, extended.encode(), labels=self._labels, keep=keep)

        self._held.change(step)

    def _extended(self, part: Part, lines: list[bytes], meta: Mapping[str, Any]) -> Part:
        added = b"".join(line + b"\n" for line in lines)
        if part.count and len(part.lines) + len(added) > PART:
            name = f"{self.session.id}.{part.first}"
            full = self.session.repository.get_or_create(name)
            full.save(part.encode(), labels={"part-of": self.session.id})
            part = Part(first=part.end, sealed=(*part.sealed, (name, part.first)))
        return replace(part, count=part.count + len(lines), lines=part.lines + added, meta=meta)

    def remove(self) -> None:
        """Deletes the log, all of it at one moment."""
        sealed = (self.part() or Part()).sealed
        self._held.remove()
        for name, _ in sealed:
            with suppress(pitstop.NotFound):
                self._sealed(name).remove()
