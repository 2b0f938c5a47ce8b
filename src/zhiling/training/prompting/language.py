"""The language in which an input is asked about: that of its letters."""

from __future__ import annotations

import re

from zhiling.rows.templates.phrases import Language
from zhiling.training.inputs import Input, shown_text

_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_LATIN = re.compile(r"[A-Za-z]+")


def language_of(turns: Input) -> Language:
    """Gives zh where an input holds more Chinese characters than words in Latin letters, else en."""
    text = shown_text(turns)
    return "zh" if len(_HAN.findall(text)) > len(_LATIN.findall(text)) else "en"
