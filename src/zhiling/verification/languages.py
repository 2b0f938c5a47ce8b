"""Whether a text is surely in another language than it should be: by script, Latin letters by lingua."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

import polars as pl

from zhiling.rows.templates.phrases import phrases
from zhiling.text.languages import DEFAULT, codes, detector
from zhiling.text.scripts import SCRIPTS, letter_counts

SURE = 0.9
"""Least confidence of the detector that is believed; below, related languages are mixed up."""
FEWEST_LETTERS = 40
"""Letters in Latin script that the detector is asked about; fewer may be a name."""
_HAN_WEIGHT = 3  # a Chinese character says as much as three letters
_KANA_SHARE = 0.1
_SCRIPT_OF = {
    "zh": "han", "ja": "kana", "ko": "hangul", "ru": "cyrillic", "uk": "cyrillic", "bg": "cyrillic",
    "ar": "arabic", "fa": "arabic", "ur": "arabic", "el": "greek", "he": "hebrew", "hi": "devanagari",
    "mr": "devanagari", "th": "thai",
}  # fmt: skip
"""Language → its script; all others are written in Latin letters."""
_MACHINE = re.compile(r"```[\s\S]*?(?:```|\Z)|`[^`\n]+`|(?:https?|ftp)://[^\s<>\u3000-\u9fff\uff00-\uffef]+")


def code_of(name: str) -> str | None:
    """The language code of a tag or name (`en-GB`, English, 英语: `en`); None where it is not known."""
    folded = name.strip().casefold()
    code = _names().get(folded) or folded.partition("-")[0]
    return code if code in codes() else None


def other_language(text: str, wanted: str) -> str | None:
    """The language or script that a text is in, where that is surely not the wanted one; else None.

    Code and addresses do not count; a text with few letters may be in any language.

    Args:
        text: any.
        wanted: two-letter code, as `code_of` gives it.
    """
    plain = _MACHINE.sub(" ", text)
    letters = _letters(plain)
    if not letters:
        return None
    script = max(letters, key=lambda name: letters[name])
    expected = _SCRIPT_OF.get(wanted, "latin")
    if letters.get(expected, 0) < letters[script]:
        return f"{script} script"
    if expected != "latin" or letters["latin"] < FEWEST_LETTERS:
        return None
    known = tuple(sorted({*DEFAULT, wanted}))
    best = detector(known).compute_language_confidence_values(plain[:1000])[0]
    found = best.language.iso_code_639_1.name.lower()
    return found if found != wanted and best.value >= SURE else None


def _letters(text: str) -> dict[str, int]:
    """Letters by script; Han counts three times, and as kana where both stand in a text."""
    counts = letter_counts(pl.Series([text], dtype=pl.String))[0].tolist()
    letters = {name: count for name, count in zip(SCRIPTS, counts, strict=True) if count}
    if letters.get("kana", 0) > _KANA_SHARE * letters.get("han", 0):
        letters["kana"] += letters.pop("han", 0)
    return {
        name: count * _HAN_WEIGHT if name in ("han", "kana") else count for name, count in letters.items()
    }


@cache
def _names() -> Mapping[str, str]:
    """Names of languages in English and Chinese, in lower case → code."""
    spoken = [phrases(language).languages for language in ("en", "zh")]
    return {name.casefold(): tag.partition("-")[0] for names in spoken for tag, name in names.items()} | {
        "英文": "en", "汉语": "zh", "日文": "ja", "韩文": "ko", "法文": "fr", "德文": "de", "mandarin": "zh",
    }  # fmt: skip
