"""Transcripts: lines such as `[10:02] Ann: Hello` into who said what.

A text has one shape; the first that its first line has decides, else the one that most lines have:

    tabs     <TAB>Customer:<TAB>text
    chat     [10:02] <ann> text · [10:02] * ann waves · === ann has joined
    timed    [10:02] Ann: text · 2024-01-31 10:02 - Ann: text · 2024/1/31 10:02:00 客服：text
    named    Ann (10:02): text · 客服（10:02）：text
    header   Ann 2024-01-31 10:02 (or the time first), the text in the lines below
    plain    Ann: text · 客服：text

A line that does not have the shape goes on with the message before it. Order is that of the lines; times
are kept as they are written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice

SHAPE_LINES = 200
"""So many lines are looked at for the shape."""

_DATE = r"(?:\d{4}[-/.年]\d{1,2}[-/.月]\d{1,2}日?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})"
_CLOCK = (
    r"(?:[上下]午\s?)?\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d{1,6})?)?(?:\s?[AaPp]\.?[Mm]\.?)?(?:Z|[+-]\d{2}:?\d{2})?"
)
_TIME = rf"(?P<time>(?:{_DATE}[,，]?[\sT]{{1,3}})?{_CLOCK})"
_STAMP = rf"[\[(]?{_TIME}[\])]?\s{{0,3}}"
_NAME = r"(?P<name>[^\s:：\[\]<>(（][^:：\n<>]{0,39}?)\s{0,3}"
_TEXT = r"\s{0,3}(?P<text>.*)"

SHAPES: dict[str, tuple[re.Pattern[str], ...]] = {
    shape: tuple(map(re.compile, patterns))
    for shape, patterns in {
        "tabs": (r"\t(?P<name>[^\t:：]{1,40})[:：]\t(?P<text>.*)",),
        "chat": (
            rf"(?:{_STAMP})?(?:<[@+~%& ]?(?P<name>[^<>\s]{{1,40}})>)\s?(?P<text>.*)",
            rf"(?:{_STAMP})?\*\s{{1,3}}(?P<name>\S{{1,40}})\s?(?P<text>.*)",
            r"\s{0,3}(?:===|-!-|\*\*\*|-->|<--)\s?(?P<text>.*)",
        ),
        "timed": (
            rf"{_STAMP}[-–—|,]?\s{{0,3}}{_NAME}[:：]{_TEXT}",
            rf"(?:\[{_TIME}\]|{_TIME.replace('time', 'at')}\s-)\s{{1,3}}(?P<text>[^:：]*)",
        ),
        "named": (rf"{_NAME}[(（\[]{_TIME}[)）\]]\s{{0,3}}[:：]{_TEXT}",),
        "header": (rf"{_NAME}[(（\[\s]{_TIME}[)）\]]?\s{{0,3}}", rf"{_STAMP}{_NAME}"),
        "plain": (rf"\s{{0,3}}{_NAME}[:：](?!//|(?<=\d[:：])\d){_TEXT}",),  # neither https:// nor 10:30
    }.items()
}
"""Patterns of whole lines; one without a name is a notice of the log itself."""


@dataclass
class Said:
    """One message of a transcript.

    Attributes:
        speaker: None: a notice of the log itself.
        time: as it is written.
        line: where it begins.
        lines: its text, line by line.
    """

    speaker: str | None
    time: str | None
    line: int
    lines: list[str] = field(default_factory=list[str])

    @property
    def text(self) -> str:
        """All its lines, without blank ones at either end."""
        return "\n".join(self.lines).strip()


def read_transcript(lines: Iterable[tuple[int, str]]) -> Iterator[Said]:
    """The messages of numbered lines; lines before the first speaker come as one with the speaker "".

    The shape is taken from the first 200 lines that are not blank.
    """
    rest = iter(lines)
    start = list(islice(rest, SHAPE_LINES))
    shape = _shape([text for _, text in start if text.strip()])
    said: Said | None = None
    for number, line in chain(start, rest):
        begun = _message(shape, number, line)
        if begun is None and said is not None:
            said.lines.append(line)
        elif begun is not None or line.strip():
            if said is not None:
                yield said
            said = begun or Said("", None, number, [line])
    if said is not None:
        yield said


def read_line(line: str) -> Said | None:
    """One message that is a whole text by itself, in the first shape that fits; None where none does."""
    head, _, below = line.partition("\n")
    for shape in SHAPES:
        said = _message(shape, 1, head) if shape != "header" else None
        if said is not None:
            said.lines += [below] if below else []
            return said
    return None


def _shape(lines: list[str]) -> str:
    # a header looks like a notice (`[10:02] Ann`), so it must be what most lines say
    first = next(
        (shape for shape in SHAPES if shape != "header" and lines and _speaks(shape, lines[0])), None
    )
    if first is not None:
        return first
    counts = {shape: sum(_speaks(shape, line) for line in lines) for shape in SHAPES}
    return max(counts, key=lambda shape: counts[shape])


def _speaks(shape: str, line: str) -> bool:
    said = _message(shape, 1, line)
    return said is not None and said.speaker is not None


def _message(shape: str, number: int, line: str) -> Said | None:
    for pattern in SHAPES[shape]:
        match = pattern.fullmatch(line)
        if match:
            parts = match.groupdict()
            name, text = parts.get("name"), parts.get("text")
            time = parts.get("time") or parts.get("at")
            return Said(name and name.strip(), time, number, [text] if text else [])
    return None
