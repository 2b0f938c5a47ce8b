"""Who speaks: names of speakers to roles, by the recipe, by the usual names, or by who speaks first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Literal

from zhiling.sources.names import known

Speaker = Literal["customer", "agent", "system", "notice"]
Others = Literal["refuse", "first", "customer", "agent", "notice"]

NOTICE = "notice"
"""Not said by anybody: what the log itself notes (an action, who joined)."""

BY_ORDER = "by order"
"""A speaker whose role depends on who speaks first in the conversation."""

ROLES: dict[Speaker, str] = {"customer": "user", "agent": "assistant", "system": "system", "notice": NOTICE}
_FOR_OTHERS: dict[Others, str] = {
    "first": BY_ORDER,
    "customer": ROLES["customer"],
    "agent": ROLES["agent"],
    "notice": NOTICE,
}


class Speakers:
    r"""The role of each speaker's name, without regard to case.

    Args:
        named: names that the recipe gives; one between slashes (`/agent \d+/`) is a regular expression
            for the whole name.
        others: what all other names are.
        usual: whether the usual names count (`customer`, `客服`, …), behind those of the recipe.
    """

    def __init__(
        self, named: Mapping[Speaker, str | tuple[str, ...]], others: Others = "refuse", *, usual: bool = True
    ) -> None:
        self._exact: dict[str, str] = {}
        self._patterns: list[tuple[re.Pattern[str], str]] = []
        if usual:
            for speaker, role in ROLES.items():
                self._exact |= {_folded(name): role for name in known("speakers")[speaker]}
        for speaker, names in named.items():
            for name in [names] if isinstance(names, str) else names:
                self._add(name, ROLES[speaker])
        self._others = _FOR_OTHERS.get(others)
        self._found: dict[str, str | None] = {}

    def _add(self, name: str, role: str) -> None:
        pattern = pattern_of(name)
        if pattern is None:
            self._exact[_folded(name)] = role
            return
        self._patterns.append((pattern, role))
        # the recipe comes before the usual names, also where it names them by a pattern
        self._exact = {each: role if pattern.fullmatch(each) else r for each, r in self._exact.items()}

    def role(self, name: str | None) -> str | None:
        """user, assistant, system, NOTICE or BY_ORDER; None for a name that is not known."""
        folded = _folded(name or "")
        if folded not in self._found:
            matching = (role for pattern, role in self._patterns if pattern.fullmatch(folded))
            role = self._exact.get(folded) or next(matching, None)
            self._found[folded] = role or (self._others if folded else None)
        return self._found[folded]

    def unknown(self, name: str | None) -> str:
        """What to say about a name that is not known."""
        allowed = ", ".join(name for name, role in self._exact.items() if role in ("user", "assistant"))
        hint = "name it under `roles`, or say with `others` what all others are"
        return f"speaker {name!r} is not known; {hint} (known: {allowed})"


def pattern_of(name: str) -> re.Pattern[str] | None:
    """The regular expression that a name between slashes is; None for a plain name.

    Raises:
        re.error: the expression is broken.
    """
    is_pattern = len(name) > 2 and name.startswith("/") and name.endswith("/")
    return re.compile(name[1:-1], re.IGNORECASE) if is_pattern else None


def check_names(names: Iterable[str]) -> None:
    """Raises ValueError where a name between slashes is no regular expression."""
    for name in names:
        try:
            pattern_of(name)
        except re.error as error:
            raise ValueError(
                f"{name!r} is no regular expression: {error}; mend it, or drop the slashes"
            ) from error


def _folded(name: str) -> str:
    return name.strip().casefold()
