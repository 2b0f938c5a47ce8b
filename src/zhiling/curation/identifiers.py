"""Checks that tell an identifier from any other number: check digits, lengths and address ranges."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from functools import cache
from importlib.resources import files
from ipaddress import AddressValueError, IPv4Address, IPv6Address

_RESIDENT_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_RESIDENT_CHECKS = "10X98765432"
_NETWORKS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|(?:5[1-5]\d\d|2[2-7]\d\d)\d{12}|3[47]\d{13}|3[0689]\d{12}"
    r"|35\d{14}|(?:6\d|81)\d{14,17}"
)


def digits_of(text: str) -> str:
    """The decimal digits of a text as ASCII, full-width ones included; everything else is left out."""
    return "".join(str(unicodedata.decimal(sign)) for sign in text if sign.isdecimal())


def is_card(text: str, announced: bool = False) -> bool:
    """Whether this is a payment card number: Luhn's check digit, first digits and length of a network.

    Args:
        text: digits, spaces, hyphens.
        announced: the word "card" stands before it; then 12 to 19 digits of any network are enough.

    Source: ISO/IEC 7812-1, annex B. True for 4111 1111 1111 1111.
    """
    digits = digits_of(text)
    if not passes_luhn(digits) or len(set(digits)) == 1:
        return False
    return (announced and 12 <= len(digits) <= 19) or _NETWORKS.fullmatch(digits) is not None


def passes_luhn(digits: str) -> bool:
    """Whether the last digit is the Luhn check digit of the others. True for 79927398713."""
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(value // 10 + value % 10 for value in doubled) % 10 == 0


def is_resident_id(text: str) -> bool:
    """Whether this is an 18-place Chinese resident id. Source: GB 11643-1999. True for 11010519491231002X."""
    place = text.strip()[-1:].upper()
    digits = digits_of(text)
    body = digits if place == "X" else digits[:-1]
    if len(body) != len(_RESIDENT_WEIGHTS):
        return False
    weighted = sum(weight * int(digit) for weight, digit in zip(_RESIDENT_WEIGHTS, body, strict=True))
    return _RESIDENT_CHECKS[weighted % 11] == (place if place == "X" else digits[-1])


@cache
def _iban_lengths() -> dict[str, int]:
    return tomllib.loads((files("zhiling.curation") / "iban_lengths.toml").read_text(encoding="utf-8"))


def iban_length(text: str) -> int | None:
    """How many characters of `text` (spaces included) are an IBAN; None: it does not begin with one.

    Source: ISO 13616, length by country and remainder 1 modulo 97. 27 for "GB29 NWBK 6016 1331 9268 19
    thanks".
    """
    wanted = _iban_lengths().get(text[:2])
    if wanted is None:
        return None
    places = [place for place, sign in enumerate(text) if not sign.isspace()][:wanted]
    sign_values = [text[place] for place in places]
    if len(places) < wanted or not all(sign.isascii() and sign.isalnum() for sign in sign_values):
        return None
    moved = "".join(str(int(sign, 36)) for sign in sign_values[4:] + sign_values[:4])
    return places[-1] + 1 if int(moved) % 97 == 1 else None


def is_ipv4(text: str) -> bool:
    """Whether this is an IPv4 address that can be someone's: no loopback, mask or unspecified address."""
    try:
        address = IPv4Address(text)
    except AddressValueError:
        return False
    return not (address.is_loopback or address.packed[0] in (0, 255))


def is_ipv6(text: str) -> bool:
    """Whether this is an IPv6 address with three groups or more, which `std::a` and `10:30` are not."""
    try:
        address = IPv6Address(text)
    except AddressValueError:
        return False
    groups = [group for group in text.split(":") if group]
    return len(groups) >= 3 and not address.is_loopback and any(sign.isdigit() for sign in text)
