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

import functools
import json
from collections.abc import Iterator
from typing import Any

from optuna.storages.journal import BaseJournalBackend

from ._held import Holding, Location, Members, open_repository
from ._log import Log

__all__ = ["PitstopJournalBackend"]


class PitstopJournalBackend(BaseJournalBackend):
    """Keeps the journal of Optuna in a repository, under `name`.

    A process that appends waits at most `timeout` seconds for others that do, and then raises `pitstop.Busy`.
    """

    def __init__(self, location: Location = None, name: str = "optuna", *, timeout: float = 60.0) -> None:
        self.repository = open_repository(location)
        self.name, self.timeout = name, timeout
        # Other processes wait to append, so no writer stays open.
        self._logs = Members(self._make, hold=0.0)

    def _make(self, name: str, holding: Holding) -> Log:
        session = self.repository.session(name)
        return Log(session, {"client": "optuna"}, timeout=self.timeout, holding=holding)

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """Reads the records from this number on."""
        return map(json.loads, self._logs[self.name].read(log_number_from))

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Appends records: all or, after an error, none."""
        lines = [json.dumps(it, separators=(",", ":")).encode() for it in logs]
        self._logs[self.name].append(lambda _: lines)

    def __reduce__(self) -> tuple[Any, ...]:
        make = functools.partial(type(self), timeout=self.timeout)
        return make, (self.repository, self.name)
