"""Each store passes the suite of its client."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

import pytest
from claude_agent_sdk.testing import run_session_store_conformance
from langgraph.checkpoint.conformance import checkpointer_test, validate
from optuna.storages import JournalStorage
from optuna.testing.pytest_storages import StorageTestCase

from pitstop.claude import PitstopSessionStore
from pitstop.langgraph import PitstopSaver
from pitstop.optuna import PitstopJournalBackend


@checkpointer_test(name="PitstopSaver")
async def _saver() -> AsyncIterator[PitstopSaver]:
    with TemporaryDirectory() as directory:
        async with PitstopSaver(directory) as saver:
            yield saver


def test_the_saver_passes_that_of_langgraph() -> None:
    results = asyncio.run(validate(_saver)).results.values()
    assert [failure for it in results for failure in it.failures] == []
    assert sum(it.tests_passed for it in results) == 81
    assert sum(it.tests_skipped for it in results) == 0


def test_the_session_store_passes_that_of_the_claude_agent_sdk(tmp_path: Path) -> None:
    asyncio.run(run_session_store_conformance(lambda: PitstopSessionStore(mkdtemp(dir=tmp_path))))


class TestTheJournalBackendPassesThatOfOptuna(StorageTestCase):
    @pytest.fixture
    def storage(self, tmp_path: Path) -> JournalStorage:
        return JournalStorage(PitstopJournalBackend(tmp_path))
