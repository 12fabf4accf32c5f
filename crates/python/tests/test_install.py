"""A drop-in in the place of the module that it replaces."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pitstop.compat import GENERATIONS, __main__

LOOK = (
    "import sys, plainbox.impl.session.storage as storage\n"
    "from plainbox.impl import session\n"
    "from plainbox.impl.session.storage import SessionStorage\n"
    "assert session.storage is storage is sys.modules['plainbox.impl.session.storage']\n"
    "assert SessionStorage.__module__ == 'plainbox.impl.session.storage'\n"
    "print(storage.__file__)\n"
)


@pytest.fixture
def plainbox(tmp_path: Path) -> Path:
    """A PlainBox that has nothing but a storage."""
    package = tmp_path / "plainbox" / "impl" / "session"
    package.mkdir(parents=True)
    for directory in (package, package.parent, package.parent.parent):
        (directory / "__init__.py").touch()
    (package / "storage.py").write_text("class SessionStorage: pass\n")
    return tmp_path


def python(plainbox: Path, program: str) -> str:
    command = [sys.executable, "-c", program]
    return subprocess.run(
        command, cwd=plainbox, capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.mark.parametrize("generation", GENERATIONS)
def test_it_takes_the_place_of_the_module(plainbox: Path, generation: str) -> None:
    install = f"import pitstop.compat; pitstop.compat.install({generation!r})\n"
    assert python(plainbox, LOOK).endswith("plainbox/impl/session/storage.py")
    assert python(plainbox, install + LOOK).endswith(f"pitstop/compat/{generation}.py")
    again = "pitstop.compat.install('plainbox_0_6')\n"
    assert python(plainbox, install + again + LOOK).endswith("pitstop/compat/plainbox_0_6.py")


@pytest.mark.parametrize("version", ["0.3", "0.38.0"])
def test_the_one_that_fits_is_found_by_what_is_installed(plainbox: Path, version: str) -> None:
    metadata = plainbox / f"plainbox-{version}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Name: plainbox\nVersion: {version}\n")
    expected = "plainbox" if version == "0.3" else "plainbox_0_6"
    program = "import pitstop.compat; pitstop.compat.install()\n" + LOOK
    assert python(plainbox, program).endswith(f"pitstop/compat/{expected}.py")


def test_the_variable_says_which_one(plainbox: Path) -> None:
    start = "import os, pitstop.compat; os.environ['PITSTOP_COMPAT'] = {!r}\n"
    start += "pitstop.compat.install_from_environment()\n"
    assert python(plainbox, start.format("off") + LOOK).endswith("session/storage.py")
    assert python(plainbox, start.format("plainbox") + LOOK).endswith("compat/plainbox.py")


def test_it_is_refused_where_it_comes_too_late_or_is_unknown(plainbox: Path) -> None:
    program = (
        "import plainbox.impl.session.storage, pitstop.compat\n"
        "for generation in ('auto', 'plainbox_9'):\n"
        "    try:\n"
        "        pitstop.compat.install(generation)\n"
        "    except Exception as error:\n"
        "        print(type(error).__name__)\n"
    )
    assert python(plainbox, program).split() == ["RuntimeError", "ValueError"]


def test_the_hook_is_its_owners_alone_and_outlives_an_uninstall(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, victim = tmp_path / "pitstop-compat.pth", tmp_path / "victim"
    victim.write_text("somebody's own")
    place.symlink_to(victim)
    umask = os.umask(0)
    try:
        __main__.write(place, __main__.HOOK)
    finally:
        os.umask(umask)
    assert victim.read_text() == "somebody's own"
    assert place.is_file() and not place.is_symlink() and place.stat().st_mode & 0o777 == 0o644
    assert sorted(it.name for it in tmp_path.iterdir()) == [place.name, victim.name]
    # Every Python executes it, also one in which Pitstop is not any more.
    start = f"import site; site.addsitedir({str(tmp_path)!r}); print('started')"
    for flags in ([], ["-S", "-I"]):
        command = [sys.executable, *flags, "-c", start]
        ended = subprocess.run(command, capture_output=True, text=True, check=True)
        assert (ended.stdout, ended.stderr) == ("started\n", "")
