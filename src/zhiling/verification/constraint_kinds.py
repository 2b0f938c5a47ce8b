"""The kinds of constraint that code can check, one function each; see `constraints`."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import orjson

from zhiling.errors import UsageError
from zhiling.rows.target import Constraint
from zhiling.text.fences import code_blocks
from zhiling.verification.counting import COUNTS, unit_names
from zhiling.verification.languages import code_of, other_language
from zhiling.verification.schemas import broken_rule

_LATIN_EDGE = r"[^\W_\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"
"""A letter or digit of a script with spaces."""
_COMMAS = re.compile(r"[,，﹐、،]")
_HEADING = re.compile(r"#{1,6}[ \t]+\S|\*\*[^*\n]+\*\*[ \t]*$|《[^《》\n]+》[ \t]*$", re.MULTILINE)


class Uncheckable(UsageError):
    """A constraint that code cannot check: its kind is unknown, or it lacks what its kind needs."""


@dataclass(frozen=True)
class Kind:
    """One kind of constraint.

    Attributes:
        values: what `values` holds.
        check: what is wrong with a text, or None.
        least_values: how many values it needs.
        most_values: how many it may have; None: any number.
        bounded: whether it needs `at_least` or `at_most` (both equal: exactly).
    """

    values: str
    check: Callable[[str, Constraint], str | None]
    least_values: int = 0
    most_values: int | None = 0
    bounded: bool = False


def folded(text: str) -> str:
    """A text as words are looked for in it: NFKC, without case, white space as single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def occurrences(text: str, word: str, *, inflected: bool = False) -> int:
    """How often a word stands in a text; one in Latin letters or digits only where it stands alone.

    Args:
        text: any.
        word: one or several words.
        inflected: whether regular endings of an English word count too (make: makes, making, maker's).
    """
    return standing(folded(text), word, inflected=inflected)


def standing(known: str, word: str, *, inflected: bool = False) -> int:
    """As `occurrences`, in a text that is folded: long texts are folded once for all words."""
    wanted = folded(word)
    core = re.escape(wanted)
    if inflected and wanted.isascii() and wanted.isalpha() and len(wanted) > 2:
        core = _with_endings(wanted)
    before = f"(?<!{_LATIN_EDGE})" if re.match(_LATIN_EDGE, wanted) else ""
    after = f"(?!{_LATIN_EDGE})" if re.search(rf"{_LATIN_EDGE}\Z", wanted) else ""
    return len(re.findall(f"{before}(?:{core}){after}", known))


def _with_endings(word: str) -> str:
    endings = "s|es|ed|d|ing|er|ers|'s"
    stems = [f"{word}(?:{endings})?", f"{word}{word[-1]}(?:ed|ing|er|ers)"]
    if word[-1] == "e":
        stems.append(f"{word[:-1]}(?:ing|ed|er|ers)")
    if word[-1] == "y":
        stems.append(f"{word[:-1]}(?:ies|ied|ier)")
    return "|".join(stems)


def _alone(check: Callable[[str], str | None]) -> Callable[[str, Constraint], str | None]:
    """A check of a kind that has neither values nor bounds."""
    return lambda text, _: check(text)


def _outside(count: int, constraint: Constraint, what: str) -> str | None:
    low, high = constraint.at_least, constraint.at_most
    if low is not None and count < low:
        return f"{count} {what}, at least {low} are asked for"
    if high is not None and count > high:
        return f"{count} {what}, at most {high} are allowed"
    return None


def _length(text: str, constraint: Constraint) -> str | None:
    unit = unit_names().get(constraint.values[0].strip().casefold())
    if unit is None:
        raise Uncheckable(
            f"a constraint 'length' counts {constraint.values[0]!r}; units are {', '.join(COUNTS)}",
            hint="in English or Chinese: words, 字, characters, 字符, sentences, 句, paragraphs, 段, …",
        )
    return _outside(COUNTS[unit](text), constraint, unit)


def _include(text: str, constraint: Constraint) -> str | None:
    known = folded(text)
    missing = [word for word in constraint.values if not standing(known, word, inflected=True)]
    return f"does not hold {', '.join(map(repr, missing))}" if missing else None


def _exclude(text: str, constraint: Constraint) -> str | None:
    known = folded(text)
    held = [word for word in constraint.values if standing(known, word)]
    return f"holds {', '.join(map(repr, held))}" if held else None


def _frequency(text: str, constraint: Constraint) -> str | None:
    word = constraint.values[0]
    return _outside(occurrences(text, word), constraint, f"times {word!r}")


def _starts_with(text: str, constraint: Constraint) -> str | None:
    wanted = constraint.values[0]
    return None if folded(text).startswith(folded(wanted)) else f"begins with {text.strip()[:40]!r}"


def _ends_with(text: str, constraint: Constraint) -> str | None:
    wanted = constraint.values[0]
    return None if folded(text).endswith(folded(wanted)) else f"ends with {text.strip()[-40:]!r}"


def _json(text: str) -> str | None:
    value = json_of(text)
    return None if value is not None else f"is not one JSON object or list: {text.strip()[:40]!r}"


def _json_schema(text: str, constraint: Constraint) -> str | None:
    try:
        schema = orjson.loads(constraint.values[0])
    except orjson.JSONDecodeError as error:
        raise Uncheckable(f"the schema of a constraint is no JSON ({error.msg})") from error
    value = json_of(text)
    if value is None:
        return f"is not one JSON object or list: {text.strip()[:40]!r}"
    try:
        return broken_rule(value, schema)
    except UsageError as error:
        raise Uncheckable(str(error)) from error


def json_of(text: str) -> Any:
    """The JSON object or list that is the whole text, bare or in one fence; None where it is not."""
    blocks = list(code_blocks(text.strip()))
    if len(blocks) == 1 and blocks[0].closed and _is_whole(text):
        text = blocks[0].text
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return cast(Any, value) if isinstance(value, dict | list) else None


def _is_whole(text: str) -> bool:
    """Whether nothing stands outside of the one fence."""
    lines = text.strip().splitlines()
    return lines[0].lstrip()[:3] in ("```", "~~~") and lines[-1].strip()[:3] in ("```", "~~~")


def _language(text: str, constraint: Constraint) -> str | None:
    code = code_of(constraint.values[0])
    if code is None:
        raise Uncheckable(
            f"a constraint 'language' wants {constraint.values[0]!r}", hint="write a tag such as en, zh, fr"
        )
    other = other_language(text, code)
    return f"is written in {other}, not in {code}" if other else None


def _capitals(text: str) -> str | None:
    wrong = next((letter for letter in text if letter.islower()), None)
    return f"holds the small letter {wrong!r}" if wrong else None


def _lower_case(text: str) -> str | None:
    wrong = next((letter for letter in text if letter.isupper()), None)
    return f"holds the capital {wrong!r}" if wrong else None


def _no_commas(text: str) -> str | None:
    count = len(_COMMAS.findall(text))
    return f"holds {count} commas" if count else None


def _title(text: str) -> str | None:
    first = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return None if _HEADING.match(first) else f"begins with {first[:40]!r}, which is no title"


KINDS: Mapping[str, Kind] = {
    "length": Kind("one unit (words, 字, sentences, …), with bounds", _length, 1, 1, bounded=True),
    "frequency": Kind("one word, with bounds on how often it stands there", _frequency, 1, 1, bounded=True),
    "include": Kind("words that must stand there, English ones in any regular form", _include, 1, None),
    "exclude": Kind("words that must not stand there", _exclude, 1, None),
    "starts_with": Kind("the text's beginning", _starts_with, 1, 1),
    "ends_with": Kind("the text's end", _ends_with, 1, 1),
    "json": Kind("none: the text is one JSON object or list", _alone(_json)),
    "json_schema": Kind("one JSON schema that the text fits", _json_schema, 1, 1),
    "language": Kind("one language: tag or name", _language, 1, 1),
    "uppercase": Kind("none: no small letter", _alone(_capitals)),
    "lowercase": Kind("none: no capital", _alone(_lower_case)),
    "no_commas": Kind("none: no comma of any script", _alone(_no_commas)),
    "title": Kind("none: the first line is `# a heading`, **bold** or 《…》", _alone(_title)),
}
"""Kinds that code can check → what they need."""
