"""Stores the studies of Optuna: `pip install pitstop[optuna]`.

    from optuna import create_study
    from optuna.storages import JournalStorage
    from pitstop.optuna import PitstopJournalBackend

    storage = JournalStorage(PitstopJournalBackend("/var/lib/studies"))
    study = create_study(storage=storage, study_name="job", load_if_exists=True)

What a trial recorded is durable when the call returns, and a killed process leaves no lock. Any number of processes
may work on one study; with a URL as location also on several machines.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

from optuna.storages.journal import BaseJournalBackend

import pitstop

from ._held import Holding
from ._log import Log

__all__ = ["PitstopJournalBackend"]


class PitstopJournalBackend(BaseJournalBackend):
    """Keeps the journal of Optuna in a repository, under `name`.

    A process that appends waits at most `timeout` seconds for others that do, and then raises `pitstop.Busy`.
    """

    def __init__(
        self,
        location: str | os.PathLike[str] | pitstop.Repository | None = None,
        name: str = "optuna",
        *,
        timeout: float = 60.0,
    ) -> None:
        is_open = isinstance(location, pitstop.Repository)
        self.repository = location if is_open else pitstop.Repository(location)
        self.name, self.timeout = name, timeout
        self._start()

    def _start(self) -> None:
        self._process = os.getpid()
        # Others wait to append, so no writer stays open.
        holding = Holding(0.0)
        session = self.repository.session(self.name)
        self._log = Log(session, {"client": "optuna"}, timeout=self.timeout, holding=holding)

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """Reads the records from this number on."""
        return map(json.loads, self._current().read(log_number_from))

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Appends records: all or, after an error, none."""
        lines = [json.dumps(it, separators=(",", ":")).encode() for it in logs]
        self._current().append(lambda _: lines)

    def _current(self) -> Log:
        if self._process != os.getpid():
            self._start()
        return self._log

    def __getstate__(self) -> dict[str, Any]:
        return {"location": self.repository, "name": self.name, "timeout": self.timeout}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]
