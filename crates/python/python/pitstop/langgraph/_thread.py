"""Keeps one LangGraph thread in one session of Pitstop."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeVar

import pitstop

from .._held import Held, Holding
from . import _format
from ._format import Entry, Key, Serialized, Writes
from ._part import Head, State, begin, located, parse


T = TypeVar("T")


class NotOwner(pitstop.Error):
    """Another saver owns the thread, or wrote it first. The write was refused and changed nothing."""

    def __init__(self, thread_id: str, owner: str, reason: str) -> None:
        super().__init__(thread_id, owner, reason)
        self.thread_id, self.owner = thread_id, owner
        self.message = f"thread {thread_id!r} was written by {owner!r}: {reason}"


@dataclass(frozen=True)
class Owned:
    """Is a state, and who may write the next one."""

    state: State = State()
    owner: str = ""
    is_claimed: bool = False


class Thread:
    """Reads and writes a thread."""

    def __init__(
        self, id: str, session: pitstop.Session, owner: str, *, timeout: float, holding: Holding
    ) -> None:
        self.id, self.session, self._owner = id, session, owner
        self._held = Held(session, Owned(), self._decode, timeout=timeout, holding=holding)
        # Parts that are sealed, and bases, never change.
        self._base: tuple[int, bytes] = (0, b"")
        self._located: dict[int, dict[Key, Serialized]] = {}

    # --- Reading

    def _decode(self, loaded: pitstop.Checkpoint) -> Owned:
        head, frames = parse(loaded.data)
        labels = loaded.info.labels
        state = State.of(head, self._base_of(head), frames)
        return Owned(state, labels["owner"], labels["claimed"] == "1")

    def _base_of(self, head: Head) -> bytes:
        if not head.base:
            return b""
        if self._base[0] != head.first:
            self._base = (head.first, self._frames(head.first)[: head.base])
        return self._base[1]

    def _frames(self, first: int) -> bytes:
        return parse(self._part(self.session, first).load().data)[1]

    @staticmethod
    def _part(session: pitstop.Session, first: int) -> pitstop.Session:
        """The session of a part's base. No thread has a dot in the name of its session."""
        return session.repository.session(f"{session.id}.{first}")

    def _state(self) -> State:
        return self._held.read()[1].state

    def latest(self, ns: str) -> Entry | None:
        """Returns the newest checkpoint of a namespace."""
        state = _again(self._state)
        if ns in state.latest or not state.head.evicted:
            return state.latest.get(ns)
        ids = [id for namespace, id in self.located() if namespace == ns]
        return self.entry((ns, max(ids))) if ids else None

    def entry(self, key: Key) -> Entry | None:
        """Returns a checkpoint."""
        return _again(self._state).find(key) or self.entries([key]).get(key)

    def entries(self, keys: list[Key]) -> dict[Key, Entry]:
        """Returns checkpoints."""
        return _again(lambda: self._entries(self._state(), keys))

    def _entries(self, state: State, keys: list[Key]) -> dict[Key, Entry]:
        found: dict[Key, Entry] = {}
        for first in (state.head.first, *reversed(state.head.sealed)):
            if missing := {key for key in keys if key not in found}:
                found |= _format.replay(_format.events(self._history(state, first)), missing)
        return found

    def _history(self, state: State, first: int) -> bytes:
        is_open = first == state.head.first
        return self._base_of(state.head) + state.frames if is_open else self._frames(first)

    def located(self) -> dict[Key, Serialized]:
        """Returns the serialized metadata of each checkpoint."""
        return _again(self._find_all)

    def _find_all(self) -> dict[Key, Serialized]:
        state = self._state()
        found: dict[Key, Serialized] = {}
        for first in state.head.sealed:
            if first not in self._located:
                self._located[first] = located(self._frames(first))
            found |= self._located[first]
        return found | located(self._history(state, state.head.first))

    # --- Writing

    def put(self, change: Callable[[State], Entry], *, check: Callable[[State], bool]) -> None:
        """Stores the checkpoint that `change` makes, if this saver owns the thread or `check` allows it."""
        self._write(lambda state: state.put(change(state)), check)

    def put_writes(self, key: Key, new: Writes, *, check: Callable[[State], bool]) -> None:
        """Stores writes, if this saver owns the thread or `check` allows it."""

        def change(state: State) -> State:
            if state.find(key) is None and (older := self._entries(state, [key]).get(key)):
                # It is found in the open part then.
                state = state.put(older)
            entry = state.find(key)
            there = entry.writes if entry else state.early.get(key, {})
            # A task that runs again writes the same, but its error or interrupt may be another one.
            added = {at: it for at, it in new.items() if at[1] < 0 or at not in there}
            return state.write(key, added) if added else state

        self._write(change, check)

    def _write(self, change: Callable[[State], State], check: Callable[[State], bool]) -> None:
        def step(_: pitstop.Revision, owned: Owned) -> None:
            self._refuse_claimed(owned)
            if not self._is_owner(owned) and not check(owned.state):
                raise NotOwner(self.id, owned.owner, "this write continues an older state than that")
            changed = change(owned.state)
            if changed is not owned.state:
                self._save(replace(owned, state=self._numbered(changed)))

        self._held.change(step)

    def _numbered(self, state: State) -> State:
        """Returns a state in the part that it belongs to."""
        if not state.head.first:
            return replace(state, head=Head(first=1 + secrets.randbits(40)))
        if not state.is_full:
            return state
        head = state.head
        history = self._history(state, head.first)
        self._create_part(head.first, head.payload(history))
        after, base = state.next_part()
        self._create_part(after.head.first, after.head.payload(base))
        return after

    def _create_part(self, first: int, payload: bytes) -> None:
        part = self._part(self.session, first)
        self.session.repository.get_or_create(part.id).save(payload, keep=pitstop.Retention.revisions(1))

    def _save(self, owned: Owned) -> None:
        labels = {"owner": self._owner, "claimed": "1" if owned.is_claimed else ""}
        payload = owned.state.head.payload(owned.state.frames)
        keep = pitstop.Retention.revisions(1)
        self._held.save(replace(owned, owner=self._owner), payload, labels=labels, keep=keep)

    def claim(self, is_claimed: bool) -> None:
        """Makes this saver the only one that may write the thread, or ends that."""

        def step(_: pitstop.Revision, owned: Owned) -> None:
            if not is_claimed:
                self._refuse_claimed(owned)
            self._save(replace(owned, is_claimed=is_claimed))

        self._held.change(step)

    def keep(self, choose: Callable[[], list[Entry] | None]) -> None:
        """Deletes all checkpoints but those that `choose` returns, at one moment; None keeps all."""
        replaced: list[Head] = []

        def step(_: pitstop.Revision, owned: Owned) -> None:
            self._refuse_claimed(owned)
            kept = choose()
            if kept is not None:
                replaced[:] = [owned.state.head]
                state, base = begin(kept, owned.state.head.first + len(owned.state.frames) + 1, {})
                self._create_part(state.head.first, state.head.payload(base))
                self._save(replace(owned, state=state))

        self._held.change(step)
        for head in replaced:
            self._remove_parts(head)

    def remove(self) -> None:
        """Deletes the thread."""
        owned = self._held.read()[1]
        self._refuse_claimed(owned)
        self._held.remove()
        self._remove_parts(owned.state.head)

    def _remove_parts(self, head: Head) -> None:
        for first in (*head.sealed, head.first):
            self._located.pop(first, None)
            with suppress(pitstop.NotFound):
                self._part(self.session, first).remove()

    def copy_to(self, target: pitstop.Session) -> None:
        """Copies the thread, which appears at one moment."""
        head = self._state().head
        for first in (*head.sealed, head.first):
            with suppress(pitstop.NotFound):
                part = self._part(self.session, first)
                part.copy_to(target.repository, self._part(target, first).id)
        self.session.copy_to(target.repository, target.id)

    def _is_owner(self, owned: Owned) -> bool:
        return owned.owner in ("", self._owner)

    def _refuse_claimed(self, owned: Owned) -> None:
        if owned.is_claimed and not self._is_owner(owned):
            raise NotOwner(self.id, owned.owner, "it claimed the thread")


def _again(read: Callable[[], T]) -> T:
    """Reads, and again where a part was deleted meanwhile."""
    for _ in range(3):
        with suppress(pitstop.NotFound):
            return read()
    return read()
