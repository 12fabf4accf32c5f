"""Keeps one LangGraph thread in one session of Pitstop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pitstop

from .._held import Held, Holding
from ._format import Entry, State, decode, encode

Key = tuple[str, str]
"""A namespace and the id of a checkpoint in it."""


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

    @classmethod
    def of(cls, loaded: pitstop.Checkpoint) -> Owned:
        """Returns the state in a checkpoint, of which the labels name the owner."""
        labels = loaded.info.labels
        return cls(decode(loaded.data), labels["owner"], labels["claimed"] == "1")


class Thread:
    """Reads and writes a thread."""

    def __init__(
        self, id: str, session: pitstop.Session, owner: str, *, timeout: float, holding: Holding
    ) -> None:
        self.id, self._owner = id, owner
        self._held = Held(session, Owned(), Owned.of, timeout=timeout, holding=holding)
        self._index: tuple[pitstop.Revision, dict[Key, pitstop.Revision]] | None = None

    @property
    def session(self) -> pitstop.Session:
        """The session that holds the thread."""
        return self._held.session

    def entry(self, ns: str, id: str | None) -> Entry | None:
        """Returns a checkpoint with its writes: the newest of the namespace without `id`."""
        state = self._held.read()[1].state
        entry = state.find(ns, id) if id else state.latest.get(ns)
        if entry is None and (id or state.evicted):
            index = self.index()
            id = id or max((it for namespace, it in index if namespace == ns), default="")
            if revision := index.get((ns, id)):
                entry = decode(self.session.load_revision(revision).data).find(ns, id)
        return entry if entry is not None and entry.checkpoint else None

    def index(self) -> dict[Key, pitstop.Revision]:
        """Returns the revision of each checkpoint."""
        newest, owned = self._held.read()
        if self._index is None or self._index[0] != newest:
            index: dict[Key, pitstop.Revision] = {}
            floor = pitstop.Revision(owned.state.floor)
            for it in self.session.history() if newest != pitstop.Revision.NONE else ():
                labels = it.info.labels
                if it.info.revision >= floor and "id" in labels:
                    index.setdefault((labels["ns"], labels["id"]), it.info.revision)
            self._index = (newest, index)
        return self._index[1]

    def write(self, change: Callable[[State], Entry | None], *, check: Callable[[State], bool]) -> None:
        """Saves the entry that `change` makes, if this saver owns the thread or `check` allows it."""

        def step(_: pitstop.Revision, owned: Owned) -> None:
            self._refuse_claimed(owned)
            if not self._is_owner(owned) and not check(owned.state):
                raise NotOwner(self.id, owned.owner, "this write continues an older state than that")
            if (entry := change(owned.state)) is not None:
                self._save(owned, owned.state.updated(entry), entry)

        self._held.change(step)

    def claim(self, is_claimed: bool) -> None:
        """Makes this saver the only one that may write the thread, or ends that."""

        def step(_: pitstop.Revision, owned: Owned) -> None:
            if not is_claimed:
                self._refuse_claimed(owned)
            self._save(replace(owned, is_claimed=is_claimed), owned.state, None)

        self._held.change(step)

    def keep(self, choose: Callable[[], list[Entry] | None]) -> None:
        """Deletes all checkpoints but those that `choose` returns; None keeps all.

        Those are saved again. The last of these saves deletes the older revisions, at one moment.
        """
        is_empty = False

        def step(newest: pitstop.Revision, owned: Owned) -> None:
            nonlocal is_empty
            self._refuse_claimed(owned)
            kept = choose()
            is_empty = kept == []
            if not kept:
                return
            after = State(floor=(newest.number or 0) + 1)
            for entry in kept[:-1]:
                after = after.updated(entry)
                self._save(owned, replace(owned.state, extra=entry), entry)
            keep = pitstop.Retention.revisions(len(kept))
            self._save(owned, after.updated(kept[-1]), kept[-1], keep=keep)

        self._held.change(step)
        if is_empty:
            self.remove()

    def remove(self) -> None:
        """Deletes the thread."""
        self._refuse_claimed(self._held.read()[1])
        self._held.remove()
        self._index = None

    def _is_owner(self, owned: Owned) -> bool:
        return owned.owner in ("", self._owner)

    def _refuse_claimed(self, owned: Owned) -> None:
        if owned.is_claimed and not self._is_owner(owned):
            raise NotOwner(self.id, owned.owner, "it claimed the thread")

    def _save(
        self,
        owned: Owned,
        state: State,
        entry: Entry | None,
        *,
        keep: pitstop.Retention = pitstop.Retention.ALL,
    ) -> None:
        before = self._held.read()[0]
        labels = {"owner": self._owner, "claimed": "1" if owned.is_claimed else ""}
        if entry is not None:
            labels |= {"ns": entry.ns, "id": entry.id}
        saved = replace(owned, state=state, owner=self._owner)
        newest = self._held.save(saved, encode(state), labels=labels, keep=keep)
        if self._index is not None and self._index[0] == before and state.floor == owned.state.floor:
            if entry is not None:
                self._index[1][entry.ns, entry.id] = newest
            self._index = (newest, self._index[1])
