"""Implements LangGraph's checkpointer."""

from __future__ import annotations

import builtins
import functools
import os
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, unquote

from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    get_checkpoint_id,
    get_checkpoint_metadata,
    writes_sort_key,
)
from langgraph.checkpoint.serde.base import SerializerProtocol

from .._executor import call
from .._held import Holding, Location, Members, open_repository
from ._format import Entry, State, Write
from ._thread import Thread

if TYPE_CHECKING:
    from types import TracebackType

    from langchain_core.runnables import RunnableConfig
    from typing_extensions import Self

T = TypeVar("T")


class PitstopSaver(BaseCheckpointSaver[int]):
    """Stores LangGraph threads in a repository, for synchronous and asynchronous graphs.

    `owner` names this saver to others, and must stay the same where a claim is to outlive a restart. A write waits at
    most `timeout` seconds for another process that is writing the thread, and then raises `pitstop.Busy`. The
    session stays locked for `hold` seconds after a write, so that the next write is fast.
    """

    def __init__(
        self,
        location: Location = None,
        *,
        owner: str | None = None,
        timeout: float = 30.0,
        hold: float = 0.1,
        serde: SerializerProtocol | None = None,
    ) -> None:
        super().__init__(serde=serde)
        self.repository = open_repository(location)
        self.owner = owner or f"{os.uname().nodename}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._timeout = timeout
        self._threads = Members(self._make, hold=hold)

    def _make(self, thread_id: str, holding: Holding) -> Thread:
        session = self.repository.session(_session_id(thread_id))
        return Thread(thread_id, session, self.owner, timeout=self._timeout, holding=holding)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await call(self.close)

    def close(self) -> None:
        """Ends all locks that this saver holds. It can be used again."""
        self._threads.close()

    # --- Reading

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Loads a checkpoint: the one that `config` names, or the newest of its thread and namespace."""
        thread_id, ns, id = _key(config)
        entry = self._threads[thread_id].entry(ns, id)
        return None if entry is None else self._tuple(thread_id, entry)

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """Lists checkpoints, the newest of each thread first."""
        chosen = config["configurable"] if config else {}
        threads = [str(chosen["thread_id"])] if config else [_thread_id(it.id) for it in self.repository]
        end = get_checkpoint_id(before) if before else None
        for thread_id in threads:
            thread = self._threads[thread_id]
            for ns, id in sorted(thread.index(), key=lambda it: it[1], reverse=True):
                if limit is not None and limit <= 0:
                    return
                if ns != chosen.get("checkpoint_ns", ns) or id != (chosen.get("checkpoint_id") or id):
                    continue
                if end and id >= end:
                    continue
                entry = thread.entry(ns, id)
                if entry is None or not self._matches(entry, filter):
                    continue
                limit = None if limit is None else limit - 1
                yield self._tuple(thread_id, entry)

    def _matches(self, entry: Entry, filter: dict[str, Any] | None) -> bool:
        metadata = self.serde.loads_typed(entry.metadata) if filter else {}
        return all(metadata.get(name) == value for name, value in (filter or {}).items())

    def _tuple(self, thread_id: str, entry: Entry) -> CheckpointTuple:
        writes = sorted(entry.writes.items(), key=lambda it: writes_sort_key(it[1].path, *it[0]))
        load = self.serde.loads_typed
        return CheckpointTuple(
            config=_config(thread_id, entry.ns, entry.id),
            checkpoint=load(entry.checkpoint or ("", b"")),
            metadata=load(entry.metadata),
            parent_config=_config(thread_id, entry.ns, entry.parent) if entry.parent else None,
            pending_writes=[(task, it.channel, load(it.value)) for (task, _), it in writes],
        )

    # --- Writing

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Stores a checkpoint. Raises `NotOwner` if another saver wrote the thread since its parent was read."""
        thread_id, ns, parent = _key(config)
        entry = Entry(
            ns=ns,
            id=checkpoint["id"],
            parent=parent,
            checkpoint=self.serde.dumps_typed(checkpoint),
            metadata=self.serde.dumps_typed(get_checkpoint_metadata(config, metadata)),
        )
        parents = {**metadata.get("parents", {}), ns: parent}

        def change(state: State) -> Entry:
            early = state.find(ns, entry.id)
            return entry if early is None else replace(entry, writes=early.writes)

        def is_newest(state: State) -> bool:
            return all(_id(state.latest.get(ns)) == id for ns, id in parents.items())

        self._threads[thread_id].write(change, check=is_newest)
        return _config(thread_id, ns, entry.id)

    def put_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """Stores the writes of a task to a checkpoint. Raises `NotOwner` if another saver wrote a newer one."""
        thread_id, ns, id = _key(config)
        assert id is not None
        new = {
            (task_id, WRITES_IDX_MAP.get(channel, index)): Write(channel, self.serde.dumps_typed(value), task_path)
            for index, (channel, value) in enumerate(writes)
        }
        thread = self._threads[thread_id]

        def change(state: State) -> Entry | None:
            entry = state.find(ns, id) or thread.entry(ns, id) or Entry(ns, id)
            # A task that runs again writes the same, but its error or interrupt may be another one.
            changed = {key: it for key, it in new.items() if key[1] < 0 or key not in entry.writes}
            return replace(entry, writes={**entry.writes, **changed}) if changed else None

        def is_newest(state: State) -> bool:
            # LangGraph may send the writes before their checkpoint, whose `put` is checked.
            return (_id(state.latest.get(ns)) or "") <= id

        thread.write(change, check=is_newest)

    # --- Ownership

    def claim(self, thread_id: str) -> None:
        """Makes this saver the only one that may write the thread, also after a restart. The saver that owned it
        until now gets `NotOwner`."""
        self._threads[thread_id].claim(True)

    def release(self, thread_id: str) -> None:
        """Lets other savers write the thread again."""
        self._threads[thread_id].claim(False)

    # --- Maintenance

    def delete_thread(self, thread_id: str) -> None:
        """Deletes a thread."""
        self._threads[thread_id].remove()

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copies a thread with all its checkpoints and writes."""
        source = self._threads[source_thread_id].session
        if source.id in self.repository:
            source.copy_to(self.repository, _session_id(target_thread_id))

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Deletes the checkpoints of these runs, in all threads."""
        for session in self.repository:
            thread = self._threads[_thread_id(session.id)]

            def others(thread: Thread = thread) -> builtins.list[Entry] | None:
                entries = _all(thread)
                kept = [it for it in entries if self.serde.loads_typed(it.metadata).get("run_id") not in run_ids]
                return None if len(kept) == len(entries) else kept

            thread.keep(others)

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Deletes all checkpoints but the newest of each namespace and those that its delta channels need, or with
        the strategy "delete" all."""
        if strategy not in ("keep_latest", "delete"):
            raise ValueError(f"argument 'strategy': expected 'keep_latest' or 'delete', not {strategy!r}")
        for thread_id in thread_ids:
            thread = self._threads[thread_id]
            if thread.session.id in self.repository:
                if strategy == "delete":
                    thread.remove()
                else:
                    thread.keep(functools.partial(self._needed, thread))

    def _needed(self, thread: Thread) -> builtins.list[Entry]:
        """The newest checkpoint of each namespace, and its ancestors up to where each delta channel has a value."""
        entries = {(it.ns, it.id): it for it in _all(thread)}
        needed: dict[tuple[str, str], Entry] = {}
        for ns in {ns for ns, _ in entries}:
            newest: Entry | None = max((it for it in entries.values() if it.ns == ns), key=lambda it: it.id)
            missing: set[str] | None = None
            while newest is not None and (missing is None or missing):
                needed[newest.ns, newest.id] = newest
                if missing is None:
                    metadata = self.serde.loads_typed(newest.metadata)
                    missing = set(metadata.get("counters_since_delta_snapshot") or ())
                missing -= set(self.serde.loads_typed(newest.checkpoint or ("", b""))["channel_values"])
                newest = entries.get((ns, newest.parent or ""))
        return sorted(needed.values(), key=lambda it: it.id)

    # --- The same for asyncio

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Does what `get_tuple` does."""
        return await call(self.get_tuple, config)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """Does what `list` does."""
        tuples = self.list(config, filter=filter, before=before, limit=limit)
        while (item := await call(next, tuples, None)) is not None:
            yield item

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Does what `put` does."""
        return await call(self.put, config, checkpoint, metadata, new_versions)

    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """Does what `put_writes` does."""
        await call(self.put_writes, config, writes, task_id, task_path)

    async def aclaim(self, thread_id: str) -> None:
        """Does what `claim` does."""
        await call(self.claim, thread_id)

    async def arelease(self, thread_id: str) -> None:
        """Does what `release` does."""
        await call(self.release, thread_id)

    async def adelete_thread(self, thread_id: str) -> None:
        """Does what `delete_thread` does."""
        await call(self.delete_thread, thread_id)

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Does what `copy_thread` does."""
        await call(self.copy_thread, source_thread_id, target_thread_id)

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Does what `delete_for_runs` does."""
        await call(self.delete_for_runs, run_ids)

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Does what `prune` does."""
        await call(self.prune, thread_ids, strategy=strategy)


def _key(config: RunnableConfig) -> tuple[str, str, str | None]:
    chosen = config["configurable"]
    return str(chosen["thread_id"]), chosen.get("checkpoint_ns", ""), get_checkpoint_id(config)


def _config(thread_id: str, ns: str, id: str) -> RunnableConfig:
    return {"configurable": {"thread_id": thread_id, "checkpoint_ns": ns, "checkpoint_id": id}}


def _id(entry: Entry | None) -> str | None:
    return None if entry is None else entry.id


def _all(thread: Thread) -> list[Entry]:
    """All checkpoints of a thread, the oldest first."""
    entries = (thread.entry(*key) for key in sorted(thread.index(), key=lambda it: it[1]))
    return [it for it in entries if it is not None]


def _session_id(thread_id: str) -> str:
    """The name of the session of a thread: itself, where it is a plain word."""
    name = quote(thread_id, safe="")
    return f"%{ord(name[0]):02X}{name[1:]}" if name[:1] in (".", "-") else name


def _thread_id(session_id: str) -> str:
    return unquote(session_id)
