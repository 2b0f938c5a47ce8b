"""Numbers in Chinese characters and in Arabic digits."""

from __future__ import annotations

_DIGITS = {char: value for value, char in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_UNITS = {"十": 10, "百": 100, "千": 1000}
_GROUPS = {"万": 10**4, "亿": 10**8}
UNITS = _UNITS | _GROUPS
"""Characters that multiply what stands before them."""


def han_value(text: str) -> int:
    """The value of a number in Chinese characters: 三十 is 30, 一万二千 is 12000, 二〇二四 is 2024."""
    if not any(char in UNITS for char in text):
        return int("".join(str(_DIGITS[char]) for char in text))
    total = section = digit = 0
    for char in text:
        if char in _DIGITS:
            digit = _DIGITS[char]
        elif char in _UNITS:
            section += (digit or 1) * _UNITS[char]
            digit = 0
        else:
            total = (total + section + digit or 1) * _GROUPS[char]
            section = digit = 0
    return total + section + digit


def arabic_value(number: str) -> str:
    """The value of an Arabic number as text: `1,200.50` is `1200.5`, `007` is `7`."""
    whole, _, rest = number.replace(",", "").partition(".")
    decimals = rest.rstrip("0")
    return (whole.lstrip("0") or "0") + (f".{decimals}" if decimals else "")
