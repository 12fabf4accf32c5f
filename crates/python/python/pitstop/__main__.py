"""Lists sessions: `python -m pitstop [LOCATION]`."""

from __future__ import annotations

import argparse
import sys

import pitstop


def main(arguments: list[str] | None = None) -> int:
    """Prints the sessions of a repository, one a line, and returns the exit code."""
    parser = argparse.ArgumentParser("python -m pitstop", description="List the sessions of a repository.")
    parser.add_argument("location", nargs="?", help="a directory or a URL [default: the default repository]")
    parser.add_argument("--version", action="version", version=f"pitstop {pitstop.__version__}")
    location = parser.parse_args(arguments).location
    try:
        listing = pitstop.Repository(location).list(details=True)
    except pitstop.Error as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for session in listing:
        saved = f"{session.saved:%Y-%m-%dT%H:%M:%SZ}" if session.saved else "-"
        size = "-" if session.size is None else session.size
        print(session.id, saved, size, "live" if session.live else "", sep="\t")
    for problem in listing.problems:
        print(f"error: {problem.name}: {problem.error}", file=sys.stderr)
    return 1 if listing.problems else 0


if __name__ == "__main__":
    sys.exit(main())
