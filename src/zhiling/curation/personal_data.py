"""Finds personal data in a text: what it is, where it stands, and whom two spellings share.

Every pattern is bounded by digits and ASCII letters, never by word boundaries, because Chinese text has no
space around a number. Numbers inside URLs are left alone (article numbers look like telephone numbers
there).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from zhiling.curation.credentials import credentials, signs
from zhiling.curation.identifiers import digits_of, iban_length, is_card, is_ipv4, is_ipv6, is_resident_id
from zhiling.curation.names_tagger import tagged
from zhiling.curation.rewriting import Taken, replaced
from zhiling.curation.telephone import is_dialled, phones

Kind = Literal[
    "email", "phone", "card", "resident_id", "ssn", "iban", "ip", "secret", "url", "person", "address"
]
KINDS: tuple[Kind, ...] = ("secret", "email", "resident_id", "iban", "card", "ssn", "ip", "phone")
"""Kinds that are looked for unless others are named; where two overlap, the earlier one wins."""
NAMED_KINDS: frozenset[Kind] = frozenset({"person", "address"})
"""Kinds that a model finds instead of a pattern; any text with a letter may hold them."""
_ORDER: tuple[Kind, ...] = ("secret", "url", *KINDS[1:])

SUSPICIOUS = (
    r"[A-Za-z0-9Ａ-Ｚａ-ｚ０-９][@＠][A-Za-z0-9Ａ-Ｚａ-ｚ０-９]"  # e-mail
    r"|\d(?:[ \-.()/（）－．\x{a0}]{0,3}\d){6}"  # any number of seven digits or more
    r"|\d\.\d{1,3}\.\d{1,3}\.\d|[0-9A-Fa-f]:[0-9A-Fa-f:]*:[0-9A-Fa-f]"  # IP addresses
    r"|[A-Z]{2}\d\d ?[A-Z0-9]{4} ?[A-Z0-9]{4}|[a-z]{2}\d\d[a-z0-9]{11}"  # IBAN
    r"|(?i:https?|ftp)://|(?i:www\.)"
    rf"|{signs()}"
    r"|\[(?:EMAIL|PHONE|CARD|ID|SSN|IBAN|IP|SECRET|URL|PERSON|ADDRESS)_\d"  # their numbers are taken
)
"""Polars expression that every text with a finding matches: all others are never looked at."""

_URL = re.compile(
    r"[A-Za-z][A-Za-z0-9+.\-]{0,31}://[^\s<>\"'`{}|\\^\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]+"
)
_WEB_ADDRESS = re.compile(  # ends at a bracket: what is found already stands in brackets
    r"(?:(?<![A-Za-z0-9])(?:https?|ftp)://|(?<![A-Za-z0-9./@\-])www\.(?=[A-Za-z0-9\-]+\.))"
    r"[^\s<>\"'`{}|\\^\[\]\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]+",
    re.IGNORECASE,
)
_EMAIL = re.compile(
    r"(?<![A-Za-z0-9._%+\-])[A-Za-z0-9_][A-Za-z0-9._%+\-]{0,63}"
    r"@(?:[A-Za-z0-9\-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9\-@])"
)
_NO_EMAIL = re.compile(r"@[1-9]x\.(?:png|jpe?g|gif|webp|svg)$|^git@", re.IGNORECASE)
_LEFT, _RIGHT = r"(?<![0-9A-Za-z_])(?<!\d[.,\-])", r"(?![0-9A-Za-z_]|[.,\-]\d)"
_RESIDENT_ID = re.compile(_LEFT + r"[1-8]\d{5}[ \-]?(?:18|19|20)\d{6}[ \-]?\d{3}[\dXx]" + r"(?![0-9A-Za-z_])")
_IBAN = re.compile(r"(?<![0-9A-Za-z_])(?:[A-Z]{2}\d\d(?: ?[A-Z0-9]){11,30}|[a-z]{2}\d\d[a-z0-9]{11,30})")
_CARD = re.compile(
    _LEFT + r"(?:\d{12,19}|\d{4}([ \-])\d{4}\1\d{4}\1\d{4}(?:\1\d{1,3})?"
    r"|3\d{3}[ \-]\d{6}[ \-]\d{4,5}|6\d{5} \d{13})" + r"(?![0-9A-Za-z_]|[ \-]?\d)"
)
_SSN = re.compile(_LEFT + r"(?!000|666|9)\d{3}([ \-])(?!00)\d\d\1(?!0000)\d{4}" + _RIGHT)
_IPV4 = re.compile(r"(?<![0-9A-Za-z_.\-])\d{1,3}(?:\.\d{1,3}){3}(?![0-9A-Za-z_]|[.\-/]\d)")
_IPV6 = re.compile(
    r"(?<![0-9A-Za-z_:.])[0-9A-Fa-f]{1,4}:[0-9A-Fa-f:]{0,39}:[0-9A-Fa-f:.]{0,44}[0-9A-Fa-f](?![0-9A-Za-z_:])"
)
_VERSION_BEFORE = re.compile(
    r"(?:\bv|version|release|build|firmware|software|upgrade|update|section|chapter"
    r"|版本号?|固件|升级[到至]?|第)[^\d\n。！？!?，,；;]{0,12}$",
    re.IGNORECASE,
)
_CARD_BEFORE = re.compile(r"(?:\bcards?\b|\bcc\b|卡)[^\d\n]{0,16}$", re.IGNORECASE)
_SSN_BEFORE = re.compile(r"ssn|social security|社会安全|社保", re.IGNORECASE)
_ORDER_BEFORE = re.compile(
    r"(?:订单|单号|运单|流水|编号|序列号|快递|型号|order|tracking|invoice|parcel|ticket|serial|reference|\bref|sku|imei|isbn"
    r"|part|article)(?:(?!card|卡|phone|mobile|手机|电话|call|身份证)[^\d\n]){0,14}$",
    re.IGNORECASE,
)
_LOOK_BACK = 32
_WIDE = [*range(0xFF10, 0xFF1A), *range(0xFF20, 0xFF3B), *range(0xFF41, 0xFF5B), 0xFF0B, 0xFF0D, 0xFF0E]
_NARROW = {point: point - 0xFEE0 for point in _WIDE}  # one code point for one: places stay


@dataclass(frozen=True)
class Finding:
    """One piece of personal data: `text[start:end]`; equal `value` means the same address or number."""

    start: int
    end: int
    kind: Kind
    value: str


def find(text: str, kinds: frozenset[Kind]) -> list[Finding]:
    """All findings of these kinds, in the order of the text, none overlapping; full-width signs are ASCII."""
    text = narrow(text)
    found: list[Finding] = []
    while new := _search(text, kinds):
        # What is found hides its neighbours (two numbers look like one), so look again without it.
        found += new
        hidden = ((each.start, each.end, "[" + "_" * (each.end - each.start - 2) + "]") for each in new)
        text = replaced(text, sorted(hidden)).text
    found += _names(text, kinds)
    return sorted(found, key=lambda finding: finding.start)


def _names(text: str, kinds: frozenset[Kind]) -> list[Finding]:
    """Names and addresses in a text whose other findings are hidden."""
    if not kinds & NAMED_KINDS:
        return []
    spans = ((each, text[each.start : each.end]) for each in tagged(text) if each.kind in kinds)
    return [
        Finding(each.start, each.end, each.kind, " ".join(name.split()).casefold()) for each, name in spans
    ]


def narrow(text: str) -> str:
    """Full-width digits, letters and signs of addresses as ASCII, one code point for one."""
    return text.translate(_NARROW)


def _search(text: str, kinds: frozenset[Kind]) -> list[Finding]:
    links = [match.span() for match in _URL.finditer(text)] if "://" in text else []
    ends = [end for _, end in links]
    found: list[Finding] = []
    taken = Taken()
    for kind in _ORDER:
        for start, end, value in _SEARCH[kind](text) if kind in kinds else ():
            if kind not in ("secret", "email", "url") and _inside(start, end, links, ends):
                continue
            if taken.take(start, end):
                found.append(Finding(start, end, kind, value))
    return found


def _inside(start: int, end: int, links: list[tuple[int, int]], ends: list[int]) -> bool:
    """Whether a place overlaps one of the links, which are in order."""
    after = bisect_right(ends, start)
    return after < len(links) and links[after][0] < end


Spans = Iterator[tuple[int, int, str]]


def _secrets(text: str) -> Spans:
    for found in credentials(text):
        yield found.start, found.end, text[found.start : found.end]


def _emails(text: str) -> Spans:
    for match in _EMAIL.finditer(text):
        if not _NO_EMAIL.search(match[0]):
            yield *match.span(), match[0].lower()


def _urls(text: str) -> Spans:
    for match in _WEB_ADDRESS.finditer(text):
        address = match[0].rstrip(".,;:!?)'")
        yield match.start(), match.start() + len(address), address.rstrip("/")


def _resident_ids(text: str) -> Spans:
    for match in _RESIDENT_ID.finditer(text):
        if is_resident_id(match[0]):
            yield *match.span(), re.sub(r"[ \-]", "", match[0]).upper()


def _ibans(text: str) -> Spans:
    for match in _IBAN.finditer(text):
        length = iban_length(match[0].upper())
        if length is not None and not text[match.start() + length : match.start() + length + 1].isalnum():
            yield match.start(), match.start() + length, match[0][:length].replace(" ", "").upper()


def _cards(text: str) -> Spans:
    for match in _CARD.finditer(text):
        announced = _follows(_CARD_BEFORE, text, match.start())
        if is_card(match[0], announced) and (announced or not _follows(_ORDER_BEFORE, text, match.start())):
            yield *match.span(), digits_of(match[0])


def _ssns(text: str) -> Spans:
    for match in _SSN.finditer(text):
        if match[1] == "-" or _follows(_SSN_BEFORE, text, match.start()):
            yield *match.span(), digits_of(match[0])


def _addresses(text: str) -> Spans:
    for match in _IPV4.finditer(text):
        parts = match[0].split(".")
        small = all(len(part) == 1 for part in parts)  # 1.2.3.4 is a version, a section or an example
        if is_ipv4(match[0]) and not small and not _follows(_VERSION_BEFORE, text, match.start()):
            yield *match.span(), match[0]
    for match in _IPV6.finditer(text):
        if is_ipv6(match[0]):
            yield *match.span(), match[0].lower()


def _phones(text: str) -> Spans:
    for start, end in phones(text):
        if is_dialled(text[start:end]) and not _follows(_ORDER_BEFORE, text, start):
            digits = digits_of(text[start:end])
            country = digits.removeprefix("00").removeprefix("86")
            yield start, end, country if len(country) == 11 and country[0] == "1" else digits


def _follows(pattern: re.Pattern[str], text: str, place: int) -> bool:
    return pattern.search(text[max(place - _LOOK_BACK, 0) : place]) is not None


_SEARCH: dict[Kind, Callable[[str], Spans]] = {
    "secret": _secrets,
    "url": _urls,
    "email": _emails,
    "resident_id": _resident_ids,
    "iban": _ibans,
    "card": _cards,
    "ssn": _ssns,
    "ip": _addresses,
    "phone": _phones,
}
