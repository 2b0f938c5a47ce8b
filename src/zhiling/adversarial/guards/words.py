"""An alarm in words, in English and in Chinese alike; they lie in `words.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from zhiling.adversarial.guards.rules import Alarm
from zhiling.errors import UnknownName

LANGUAGES = ("en", "zh")
_NAMED = {"unmeasured": "figures", "gone": "causes"}
"""Guard → the section of words that its features are names in; those of others are words themselves."""
_JOINTS = {"en": (", ", ": ", "; "), "zh": ("、", "：", "；")}


def told(alarm: Alarm, language: str) -> str:
    """One line: the round, what rang with its value and bound, and what follows.

    Example: "round 2: different word pairs: 0.45 of those in as many real rows, at least 0.8 are wanted; the
    loop ends".

    Raises:
        UnknownName: the language is neither `en` nor `zh`.
    """
    if language not in LANGUAGES:
        raise UnknownName("language", language, LANGUAGES)
    between, colon, semicolon = _JOINTS[language]
    named = _table().get(_NAMED.get(alarm.guard, ""), dict[str, Mapping[str, str]]())
    features = [named[name][language] if name in named else name for name in alarm.features]
    words = _table()["alarms"][alarm.guard][language].format(
        value=f"{alarm.value:.3g}", bound=f"{alarm.bound:.3g}",
        generator=alarm.generator, features=between.join(features) or "–",
    )  # fmt: skip
    follows = _table()["follows"][alarm.follows][language].format(generator=alarm.generator)
    number = f"round {alarm.round}" if language == "en" else f"第 {alarm.round} 轮"
    return f"{number}{colon}{words}{semicolon}{follows}"


@cache
def _table() -> Mapping[str, Mapping[str, Mapping[str, str]]]:
    """Section → key → the same words per language."""
    from ruamel.yaml import YAML

    text = resources.files("zhiling.adversarial.guards").joinpath("words.yaml").read_text(encoding="utf-8")
    reader: Any = YAML(typ="safe", pure=True)
    return reader.load(text)
