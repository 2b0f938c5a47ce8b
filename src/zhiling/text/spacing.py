"""Tokens as running text: where a space stands between two of them, and where Chinese has none."""

from __future__ import annotations

from collections.abc import Sequence


def join(tokens: Sequence[str]) -> tuple[str, list[tuple[int, int]]]:
    """The text of these tokens, and where each begins and ends in it (code points, end exclusive).

    A space stands between two tokens, but not between two characters of a script written without spaces. In
    a sentence whose tokens are mostly of such a script none stands beside one of its characters either, and
    where all tokens are single characters, some of such a script, none stands at all.
    `["New", "York"]` gives `New York`, `["北京", "大学"]` gives `北京大学`, `["2", "0", "年", "N", "B"]`
    gives `20年NB`.
    """
    spaceless = sum(is_spaceless(token[0]) for token in tokens if token)
    characters = spaceless and all(len(token) <= 1 for token in tokens)
    needed = any if 2 * spaceless >= len(tokens) else all
    parts: list[str] = []
    places: list[tuple[int, int]] = []
    length = 0
    before = ""
    for token in tokens:
        close = characters or needed(map(is_spaceless, (before[-1:] or " ", token[:1] or " ")))
        if before and token and not close:
            parts.append(" ")
            length += 1
        parts.append(token)
        places.append((length, length + len(token)))
        length += len(token)
        before = token or before
    return "".join(parts), places


def is_spaceless(character: str) -> bool:
    """Han, kana, and the punctuation of both."""
    return "\u3000" <= character <= "\u9fff" or "\uff00" <= character <= "\uffef" or character >= "\U00020000"
