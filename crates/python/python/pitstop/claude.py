"""Stores the sessions of the Claude Agent SDK: `pip install pitstop[claude]`.

    from claude_agent_sdk import ClaudeAgentOptions, query
    from pitstop.claude import PitstopSessionStore

    options = ClaudeAgentOptions(session_store=PitstopSessionStore("/var/lib/agent"))

What `append` stored is durable when it returns. Entries with a `uuid` that is there already are not stored again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from claude_agent_sdk import fold_session_summary
from claude_agent_sdk.types import SessionStore

import pitstop

from ._executor import call
from ._held import Holding, Location, Members, open_repository
from ._log import Log, Part

if TYPE_CHECKING:
    from claude_agent_sdk.types import (
        SessionKey,
        SessionListSubkeysKey,
        SessionStoreEntry,
        SessionStoreListEntry,
        SessionSummaryEntry,
    )

__all__ = ["PitstopSessionStore"]


class PitstopSessionStore(SessionStore):
    """Keeps each transcript as a log in a repository.

    An append waits at most `timeout` seconds for another process that appends to the transcript, and then raises
    `pitstop.Busy`. A transcript stays locked for `hold` seconds after an append, so that the next one is fast.
    """

    def __init__(self, location: Location = None, *, timeout: float = 30.0, hold: float = 0.1) -> None:
        self.repository = open_repository(location)
        self._timeout = timeout
        self._transcripts = Members(self._make, hold=hold)

    def _make(self, names: tuple[str, str, str], holding: Holding) -> _Transcript:
        # Keys are paths of any length. The labels tell what they are.
        digest = hashlib.blake2b(json.dumps(names).encode(), digest_size=16).hexdigest()
        session = self.repository.session(f"claude-{digest}")
        labels = dict(zip(("project", "session", "subpath"), names))
        return _Transcript(Log(session, labels, timeout=self._timeout, holding=holding))

    def close(self) -> None:
        """Ends all locks that this store holds. It can be used again."""
        self._transcripts.close()

    async def append(self, key: SessionKey, entries: list[SessionStoreEntry]) -> None:
        """Appends entries to a transcript, all or none."""
        if entries:
            await call(self._transcripts[_names(key)].append, key, entries)

    async def load(self, key: SessionKey) -> list[SessionStoreEntry] | None:
        """Loads a transcript; None if it was never written."""
        return await call(self._transcripts[_names(key)].load)

    async def list_sessions(self, project_key: str) -> list[SessionStoreListEntry]:
        """Lists the sessions of a project."""
        labels = {"project": project_key, "subpath": ""}
        listing = await call(self.repository.list, labels=labels, details=True)
        return [
            {"session_id": (it.labels or {})["session"], "mtime": _milliseconds(it)} for it in listing
        ]

    async def list_session_summaries(self, project_key: str) -> list[SessionSummaryEntry]:
        """Lists the summaries of the sessions of a project."""
        summaries: list[SessionSummaryEntry] = []
        for it in await self.list_sessions(project_key):
            part = await call(self._transcripts[project_key, it["session_id"], ""].log.part)
            if part is not None:
                summaries.append(cast("SessionSummaryEntry", {**it, "data": part.meta["summary"]}))
        return summaries

    async def delete(self, key: SessionKey) -> None:
        """Deletes a transcript, and with a main transcript those of its subagents."""
        project, session, subpath = _names(key)
        if not subpath:
            for name in await self.list_subkeys({"project_key": project, "session_id": session}):
                await call(self._transcripts[project, session, name].remove)
        await call(self._transcripts[project, session, subpath].remove)

    async def list_subkeys(self, key: SessionListSubkeysKey) -> list[str]:
        """Lists the subpaths of a session."""
        labels = {"project": key["project_key"], "session": key["session_id"]}
        listing = await call(self.repository.list, labels=labels, details=True)
        return [subpath for it in listing if (subpath := (it.labels or {})["subpath"])]


class _Transcript:
    """Appends each entry once."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self._seen: set[str] = set()
        self._seen_end = 0

    def append(self, key: SessionKey, entries: list[SessionStoreEntry]) -> None:
        def choose(part: Part) -> list[bytes]:
            self._look(part)
            fresh = {it.get("uuid") or f" {number}": it for number, it in enumerate(entries)}
            self._new = [it for uuid, it in fresh.items() if uuid not in self._seen]
            return [json.dumps(it, separators=(",", ":")).encode() for it in self._new]

        def fold(part: Part) -> Mapping[str, Any]:
            if key.get("subpath"):
                return {}
            data = part.meta.get("summary")
            before: Any = data and {"session_id": key["session_id"], "mtime": 0, "data": data}
            return {"summary": fold_session_summary(before, key, self._new)["data"]}

        self.log.append(choose, fold)

    def _look(self, part: Part) -> None:
        """Notes the entries that others appended, or that this process did not see yet."""
        if part.end < self._seen_end:
            self._seen, self._seen_end = set(), 0
        for line in self.log.read(self._seen_end):
            self._seen.add(json.loads(line).get("uuid") or "")
        self._seen_end = part.end

    def load(self) -> list[SessionStoreEntry] | None:
        return None if self.log.part() is None else [json.loads(it) for it in self.log.read()]

    def remove(self) -> None:
        self.log.remove()
        self._seen, self._seen_end = set(), 0


def _names(key: SessionKey) -> tuple[str, str, str]:
    return key["project_key"], key["session_id"], key.get("subpath", "")


def _milliseconds(summary: pitstop.Summary) -> int:
    return int(summary.changed.timestamp() * 1000)
