"""Implements LangGraph's checkpointer."""

from __future__ import annotations

import builtins
import functools
import os
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast
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
from ._format import Entry, Key, Serialized, Write
from ._part import State
from ._thread import Thread

if TYPE_CHECKING:
    from types import TracebackType

    from langchain_core.runnables import RunnableConfig
    from typing_extensions import Self

_AT_ONCE = 64
"""How many checkpoints are decoded at once."""


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
        thread = self._threads[thread_id]
        entry = thread.entry((ns, id)) if id else thread.latest(ns)
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
        for thread_id in [str(chosen["thread_id"])] if config else self._thread_ids():
            thread = self._threads[thread_id]
            keys = self._chosen(thread, chosen, filter, before)[:limit]
            limit = None if limit is None else limit - len(keys)
            for start in range(0, len(keys), _AT_ONCE):
                found = thread.entries(keys[start : start + _AT_ONCE])
                yield from (self._tuple(thread_id, found[key]) for key in keys if key in found)

    def _chosen(
        self,
        thread: Thread,
        chosen: Mapping[str, Any],
        filter: dict[str, Any] | None,
        before: RunnableConfig | None,
    ) -> builtins.list[Key]:
        end = get_checkpoint_id(before) if before else None
        ns, id = chosen.get("checkpoint_ns"), chosen.get("checkpoint_id")
        keys = [
            key
            for key, metadata in thread.located().items()
            if (ns is None or key[0] == ns)
            and (not id or key[1] == id)
            and (not end or key[1] < end)
            and (not filter or self._matches(metadata, filter))
        ]
        return sorted(keys, key=lambda it: it[1], reverse=True)

    def _matches(self, metadata: Serialized, filter: dict[str, Any]) -> bool:
        loaded = self.serde.loads_typed(metadata)
        return all(loaded.get(name) == value for name, value in filter.items())

    def _tuple(self, thread_id: str, entry: Entry) -> CheckpointTuple:
        writes = sorted(entry.writes.items(), key=lambda it: writes_sort_key(it[1].path, *it[0]))
        load = self.serde.loads_typed
        values = {name: load(value) for name, value in entry.channels.items()}
        return CheckpointTuple(
            config=_config(thread_id, *entry.key),
            checkpoint=cast("Checkpoint", {**load(entry.rest), "channel_values": values}),
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
        dump = self.serde.dumps_typed
        rest = dump({**checkpoint, "channel_values": {}})
        stored_metadata = dump(get_checkpoint_metadata(config, metadata))
        values: dict[str, Serialized] = {}
        parents = {**metadata.get("parents", {}), ns: parent}

        def change(state: State) -> Entry:
            tip = state.tips.get(ns)
            # Only what changed since the parent is serialized.
            same = tip.channels if tip is not None and tip.id == parent else {}
            for name, value in checkpoint["channel_values"].items():
                if name not in values:
                    is_new = name in new_versions or name not in same
                    values[name] = dump(value) if is_new else same[name]
            return Entry(ns, checkpoint["id"], parent, rest, values, stored_metadata)

        def is_newest(state: State) -> bool:
            return all(_id(state.latest.get(ns)) == id for ns, id in parents.items())

        self._threads[thread_id].put(change, check=is_newest)
        return _config(thread_id, ns, checkpoint["id"])

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
            (task_id, WRITES_IDX_MAP.get(channel, index)): Write(
                channel, task_path, self.serde.dumps_typed(value)
            )
            for index, (channel, value) in enumerate(writes)
        }

        def is_newest(state: State) -> bool:
            # LangGraph may send the writes before their checkpoint, whose `put` is checked.
            return (_id(state.latest.get(ns)) or "") <= id

        self._threads[thread_id].put_writes((ns, id), new, check=is_newest)

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
        source = self._threads[source_thread_id]
        if source.session.id in self.repository:
            source.copy_to(self._threads[target_thread_id].session)

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Deletes the checkpoints of these runs, in all threads."""
        for thread_id in self._thread_ids():
            thread = self._threads[thread_id]

            def others(thread: Thread = thread) -> builtins.list[Entry] | None:
                located = thread.located()
                kept = [key for key, it in located.items() if not self._is_of(it, run_ids)]
                return None if len(kept) == len(located) else _oldest_first(thread.entries(kept))

            thread.keep(others)

    def _is_of(self, metadata: Serialized, run_ids: Sequence[str]) -> bool:
        return self.serde.loads_typed(metadata).get("run_id") in run_ids

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
        """Returns the newest checkpoint of each namespace, and its ancestors up to where each delta channel has a
        value."""
        needed: dict[Key, Entry] = {}
        for ns in {ns for ns, _ in thread.located()}:
            entry = thread.latest(ns)
            counters = entry and self.serde.loads_typed(entry.metadata).get("counters_since_delta_snapshot")
            missing = set(counters or ())
            while entry is not None:
                needed[entry.key] = entry
                missing -= set(entry.channels)
                entry = thread.entry((ns, entry.parent)) if missing and entry.parent else None
        return _oldest_first(needed)

    def _thread_ids(self) -> builtins.list[str]:
        return [unquote(it.id) for it in self.repository if "." not in it.id]

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


def _oldest_first(entries: Mapping[Key, Entry]) -> list[Entry]:
    return sorted(entries.values(), key=lambda it: it.id)


def _session_id(thread_id: str) -> str:
    """Returns the name of the session of a thread: itself, where it is a plain word. Parts have a dot in theirs."""
    name = quote(thread_id, safe="").replace(".", "%2E")
    return f"%2D{name[1:]}" if name.startswith("-") else name
