"""`python -m pitstop.compat install`: an environment whose PlainBox or Checkbox runs on Pitstop."""

import argparse
import sysconfig
from pathlib import Path

from . import _install

HOOK = "import pitstop.compat; pitstop.compat.install_from_environment()\n"


def hook() -> Path:
    """A file that every Python of this environment reads when it starts."""
    return Path(sysconfig.get_path("purelib")) / "pitstop-compat.pth"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m pitstop.compat", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("install", help="use the drop-ins in this environment")
    commands.add_parser("uninstall", help="use PlainBox's own storage again")
    commands.add_parser("status", help="say which is used")
    command = parser.parse_args().command
    if command == "install":
        hook().write_text(HOOK)
    elif command == "uninstall":
        hook().unlink(missing_ok=True)
    if hook().exists():
        generation = _install.installed_generation()
        print(f"{_install.REPLACED} is pitstop.compat.{generation}, by {hook()}")
    else:
        print(f"{_install.REPLACED} is its own: there is no {hook()}")


if __name__ == "__main__":
    main()
