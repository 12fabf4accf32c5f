"""`python -m pitstop.compat install`: an environment whose PlainBox or Checkbox runs on Pitstop."""

import argparse
import os
import sysconfig
import tempfile
from pathlib import Path

from . import _install

# One line, for that is all that a Python executes. It stays when Pitstop is uninstalled, and then does nothing.
_PROGRAM = """
try:
    import pitstop.compat
except ImportError:
    pass
else:
    pitstop.compat.install_from_environment()
"""
HOOK = f"import sys; exec({_PROGRAM!r})\n"


def hook() -> Path:
    """A file that every Python of this environment reads when it starts."""
    return Path(sysconfig.get_path("purelib")) / "pitstop-compat.pth"


def write(path: Path, text: str) -> None:
    """Puts a file in place that only its owner can change, whatever the umask and whatever has the name."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as new:
        try:
            new.write(text)
            new.flush()
            os.fchmod(new.fileno(), 0o644)
            os.fsync(new.fileno())
            os.replace(new.name, path)
        except BaseException:
            os.unlink(new.name)
            raise


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m pitstop.compat", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("install", help="use the drop-ins in this environment")
    commands.add_parser("uninstall", help="use PlainBox's own storage again")
    commands.add_parser("status", help="say which is used")
    command = parser.parse_args().command
    if command == "install":
        write(hook(), HOOK)
    elif command == "uninstall":
        hook().unlink(missing_ok=True)
    if hook().exists():
        generation = _install.installed_generation()
        print(f"{_install.REPLACED} is pitstop.compat.{generation}, by {hook()}")
    else:
        print(f"{_install.REPLACED} is its own: there is no {hook()}")


if __name__ == "__main__":
    main()
