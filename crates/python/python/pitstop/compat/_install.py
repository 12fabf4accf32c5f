"""Puts a drop-in in the place of the module that it replaces."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType

REPLACED = "plainbox.impl.session.storage"
GENERATIONS = ("plainbox", "plainbox_0_6", "checkbox_ng")


class Finder(MetaPathFinder):
    """Finds a drop-in where the module that it replaces is imported. It is executed under that name, and
    the import system binds it in the parent package as it does every module."""

    def __init__(self, generation: str) -> None:
        self.generation = generation

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != REPLACED:
            return None
        generation = installed_generation() if self.generation == "auto" else self.generation
        source = Path(__file__).with_name(f"{generation}.py")
        return importlib.util.spec_from_file_location(fullname, source)


def install(generation: str = "auto") -> None:
    """Puts a drop-in in the place of `plainbox.impl.session.storage` in this process.

    Call it before PlainBox is imported: raises `RuntimeError` if the module was. Calling it again changes
    the generation. Raises `ValueError` if there is no such generation.
    """
    if generation not in (*GENERATIONS, "auto"):
        raise ValueError(f"{generation!r} is none of {', '.join(GENERATIONS)}, auto")
    if REPLACED in sys.modules:
        raise RuntimeError(f"{REPLACED} was imported already")
    sys.meta_path[:] = [it for it in sys.meta_path if not isinstance(it, Finder)]
    sys.meta_path.insert(0, Finder(generation))


def install_from_environment() -> None:
    """What each Python does at its start where `python -m pitstop.compat install` was run."""
    generation = os.environ.get("PITSTOP_COMPAT") or "auto"
    if generation != "off":
        install(generation)


def installed_generation() -> str:
    """The generation that fits the PlainBox or Checkbox that is installed."""
    if (found := version_of("checkbox-ng")) and found >= (1, 10):
        return "checkbox_ng"
    if (found := version_of("plainbox")) and found < (0, 6):
        return "plainbox"
    return "plainbox_0_6" if found else "checkbox_ng"


def version_of(distribution: str) -> tuple[int, ...] | None:
    """The first two numbers of its version; `None` if it is not installed."""
    try:
        numbers = version(distribution).split(".")[:2]
        return tuple(int(number) for number in numbers)
    except (PackageNotFoundError, ValueError):
        return None
