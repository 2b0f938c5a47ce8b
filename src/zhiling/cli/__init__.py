"""The command line: one thin file per verb; each parses, calls and prints."""

from __future__ import annotations


def main() -> None:
    """The entry point of `zhiling` and of `python -m zhiling`."""
    from zhiling.cli.main import run

    run()
