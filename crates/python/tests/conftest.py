"""What all the tests use."""

from pathlib import Path

import pytest

import pitstop


@pytest.fixture
def repository(tmp_path: Path) -> pitstop.Repository:
    return pitstop.Repository(tmp_path / "sessions")


@pytest.fixture
def session(repository: pitstop.Repository) -> pitstop.Session:
    return repository.create("job")
