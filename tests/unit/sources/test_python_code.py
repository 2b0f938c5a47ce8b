"""Python files: a section a function or method, and no line lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from zhiling.sources.pages.passages import Section
from zhiling.sources.pages.python_code import read_python

SOURCE = '''\
"""A clock. 一座钟。

More of it.
"""
import time

# 时间
@staticmethod
def now() -> float:
    """Now."""
    return time.time()


class Clock:
    """A clock."""

    face = 12

    def tick(self):
        return "嘀"

    async def tock(self):
        return "嗒"

if __name__ == "__main__":
    now()
'''


def sections(source: str) -> tuple[str, tuple[Section, ...]]:
    document = read_python(enumerate(source.splitlines(), 1))
    return document.title, document.sections


def lines(found: tuple[Section, ...]) -> Iterator[str]:
    for section in found:
        for _, text in section.paragraphs:
            yield from (line for line in text.splitlines() if line.strip())


def test_functions_and_methods_are_sections_of_their_own() -> None:
    title, found = sections(SOURCE)
    assert title == "A clock. 一座钟。"
    assert [(section.at, section.headings) for section in found] == [
        (1, ()), (8, ("now",)), (14, ()), (19, ("Clock", "tick")), (22, ("Clock", "tock")), (25, ()),
    ]  # fmt: skip
    assert found[1].paragraphs[0][1].startswith("@staticmethod\ndef now")
    assert list(lines(found)) == [line for line in SOURCE.splitlines() if line.strip()]


@pytest.mark.parametrize(
    "source", ["def f(:\n  pass", "x = '\0'", "def f(): pass; g = 1\nclass A: pass", "\n\n", ""]
)
def test_no_line_is_lost(source: str) -> None:
    _, found = sections(source)
    assert list(lines(found)) == [line for line in source.splitlines() if line.strip()]
