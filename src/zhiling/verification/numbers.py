"""Numbers of a text by value: 1,200 and １２００, 1.2k, 一千二百, twelve hundred, 百分之五, 3万, 3.5 million.

Each value is a claim, which another text has to answer, or only a mention, which may answer one: `both` and
两 answer 2, a single 一 or `one` claims nothing. Values are decimal texts without trailing zeros.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

from zhiling.text.numerals import UNITS, arabic_value, han_value

Key = tuple[str, str]
"""Kind of fact, value."""

NUMBER, PERCENT = "number", "percent"
_MOST_DIGITS = 24
_DIGITS = r"(?<![\d.])\d(?:\d|,(?=\d{3}(?!\d)))*(?:\.\d+)?"
_HAN = "零〇一二两三四五六七八九十百千万亿"
_CAPITAL_HAN = str.maketrans("壹贰叁肆伍陆柒捌玖拾佰仟萬億兩", "一二三四五六七八九十百千万亿两")
_PERCENT = re.compile(rf"({_DIGITS})\s?(?:%|percent\b|per cent\b|percentage point)", re.IGNORECASE)
_HAN_POINT = r"(?:点[零〇一二三四五六七八九]{1,10}(?![十分]))?"
_HAN_PERCENT = re.compile(rf"百分之(?:({_DIGITS})|([{_HAN}]{{1,20}}{_HAN_POINT}))")
_SPACED = re.compile(
    r"(?<![\d.,])\d{1,3}(?:(?: \d{3})+|(?:, 000)+)(?![\d.])|(?<=[$€£] )\d{1,3}(?:, \d{3})+(?!\d)"
)
_UNIT_PREFIX = re.compile(r"千(?=[米克瓦卡])")
_DISCOUNT = re.compile(rf"([1-9]{{1,2}}|[{_HAN}]{{1,2}})折")
_ROMAN = re.compile(r"(?<!\w)(?:II|III|IV|VI{0,3}|IX|XI{0,2}|X)(?!\w)", re.ASCII)
_ROMANS = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII")
_FRACTION = re.compile(rf"([{_HAN}]{{1,8}}|\d{{1,8}})分之([{_HAN}]{{1,8}}|\d{{1,8}})")
_HAN_SCALED = re.compile(rf"(?:{_DIGITS}\s?[十百千万亿]+)+(?:{_DIGITS})?")
_HAN_PIECE = re.compile(rf"({_DIGITS})\s?([十百千万亿]*)")
_HAN_NUMBER = re.compile(rf"[{_HAN}]{{1,40}}{_HAN_POINT}")
_NUMBER = re.compile(_DIGITS)
_NEAR_NEIGHBOURS = re.compile(r"一两|一二|二三|两三|三四|四五|五六|六七|七八|八九")
_YEARS = re.compile(rf"({_DIGITS}|[{_HAN}]{{1,4}})\s?(年代|世纪)")
_DECADE = re.compile(r"(?<!\d)(?:1[0-9]|20)(\d0)'?s\b")
_HAN_HALF = re.compile(rf"([{_HAN}]{{1,6}}|\d{{1,6}})[^\s\d{_HAN}]{{0,2}}半")
_HAN_CLOCK = re.compile(rf"([{_HAN}]{{1,3}}|\d{{1,2}})\s?[点時时]")


_LAST_ORDINALS = {"first": 1, "second": 2}
"""Ordinals that are numbers only at the end of one: thirty-first."""


@dataclass
class Scan:
    """A text whose facts are taken out one kind after another, so that none is read twice.

    Attributes:
        text: what is left of it; what was read is blank.
        claims: what the text states → the words that do so.
        mentions: all that may answer a claim of another text; every claim is among them.
    """

    text: str
    claims: dict[Key, str] = field(default_factory=dict[Key, str])
    mentions: set[Key] = field(default_factory=set[Key])

    def claim(self, kind: str, value: str, words: str) -> None:
        """Takes a fact that another text has to have too."""
        self.claims.setdefault((kind, value), words)
        self.mentions.add((kind, value))

    def mention(self, kind: str, *values: str) -> None:
        """Takes facts that may answer another text's claim."""
        self.mentions.update((kind, value) for value in values)

    def take(self, pattern: re.Pattern[str], read: Callable[[re.Match[str]], object]) -> None:
        """Reads each match and blanks it, unless `read` gives False."""
        self.text = pattern.sub(
            lambda match: match[0] if read(match) is False else " " * len(match[0]), self.text
        )


def read_numbers(scan: Scan) -> None:
    """Takes the percentages and numbers of a text in NFKC."""
    scan.text = _UNIT_PREFIX.sub(" ", scan.text.translate(_CAPITAL_HAN))
    scan.take(_PERCENT, lambda match: scan.claim(PERCENT, arabic_value(match[1]), match[0]))
    scan.take(_HAN_PERCENT, lambda match: _han_percent(scan, match))
    scan.take(_word_percent(), lambda match: scan.claim(PERCENT, _values_of(match[1])[-1], match[0]))
    _loose_readings(scan)
    scan.take(_before_the_hour(), lambda match: _clock(scan, match))
    scan.take(_FRACTION, lambda match: scan.mention(NUMBER, *map(value_of_numeral, match.groups())))
    scan.take(_idioms(), lambda match: scan.mention(NUMBER, *_numerals(match[0])))
    scan.take(_SPACED, lambda match: scan.claim(NUMBER, arabic_value("".join(match[0].split())), match[0]))
    scan.take(_HAN_SCALED, lambda match: scan.claim(NUMBER, _scaled(match[0]), match[0]))
    scan.take(_english_scaled(), lambda match: scan.claim(NUMBER, _product(match), match[0]))
    scan.take(_NUMBER, lambda match: scan.claim(NUMBER, arabic_value(match[0]), match[0]))
    scan.take(_HAN_NUMBER, lambda match: _han_number(scan, match))
    scan.take(_english(), lambda match: _english_number(scan, match))


def _han_percent(scan: Scan, match: re.Match[str]) -> None:
    scan.claim(PERCENT, arabic_value(match[1]) if match[1] else value_of_numeral(match[2]), match[0])


def _loose_readings(scan: Scan) -> None:
    """Other readings of what is taken as a number later: decades, centuries, half hours, the clock."""
    for match in _YEARS.finditer(scan.text):
        number = int(Decimal(value_of_numeral(match[1])) % 10_000)
        scan.mention(NUMBER, str(1900 + number) if match[2] == "年代" else str((number - 1) * 100))
    for match in _DECADE.finditer(scan.text):
        scan.mention(NUMBER, match[1])
    for match in _HAN_HALF.finditer(scan.text):
        scan.mention(NUMBER, f"{value_of_numeral(match[1])}.5")
    for match in _DISCOUNT.finditer(scan.text):
        scan.mention(PERCENT, _discount(match[1]))
    for match in _ROMAN.finditer(scan.text):
        scan.mention(NUMBER, str(_ROMANS.index(match[0]) + 1))
    for match in _HAN_CLOCK.finditer(scan.text):
        scan.mention(NUMBER, _plus(value_of_numeral(match[1]), 12))
    lower = scan.text.lower()
    for word in re.findall(r"[a-z]+", lower):
        scan.mention(NUMBER, *words_table()["loose"].get(word, ()))
    for word, values in words_table()["chinese"]["loose"].items():
        if word in lower:
            scan.mention(NUMBER, *values)


def _clock(scan: Scan, match: re.Match[str]) -> object:
    """`ten to eight` is 7:50, so 8 answers as well as 7 and 50; `ten to eighteen` is a range."""
    parts = ["15" if part.lower() == "quarter" else _values_of(part)[-1] for part in match.groups()]
    minutes, hour = (int(part) for part in parts)
    if hour > 12 or minutes % 5:
        return False
    return scan.mention(NUMBER, *map(str, (minutes, 60 - minutes, hour, hour - 1 or 12)))


def _numerals(words: str) -> list[str]:
    return [value_of_numeral(found) for found in re.findall(rf"[{_HAN}]", words)]


def _discount(words: str) -> str:
    """The percentage off that 七折 (30) or 九五折 (5) is."""
    digits = "".join(_numerals(words)) if not words.isdigit() else words
    return str(100 - int(digits[:2].ljust(2, "0")))


def _han_number(scan: Scan, match: re.Match[str]) -> None:
    words, value = match[0], value_of_numeral(match[0])
    near = _NEAR_NEIGHBOURS.search(words) if len(words) < 4 else None
    if near:  # 七八个, 二三十: about so many
        either = (words.replace(near[0], digit) for digit in near[0])
        scan.mention(NUMBER, *_numerals(words), *map(value_of_numeral, either))
        return
    scan.mention(NUMBER, value)
    if _states(words, match.string, match.end()):
        scan.claim(NUMBER, value, words)


def _states(words: str, text: str, end: int) -> bool:
    """Whether a Chinese numeral is meant as a number: by its form, or by the measure word behind it."""
    if "点" in words:
        return True
    if words in ("一", "零", "〇") or not any(char in _HAN[1:12] for char in words):
        return False
    if len(words) == 1:
        return bool(_measured().match(text, end))
    return len(words) >= 4 or any(char in UNITS for char in words)


def _english_number(scan: Scan, match: re.Match[str]) -> None:
    for value in _values_of(match[0]):
        scan.mention(NUMBER, value)
        if value not in ("0", "1"):
            scan.claim(NUMBER, value, match[0])


def value_of_numeral(words: str) -> str:
    """The value of Arabic digits or of Chinese numerals, with decimals behind 点."""
    if words[0].isascii():
        return arabic_value(words)
    whole, _, rest = words.partition("点")
    decimals = "".join(str(han_value(char)) for char in rest)
    return arabic_value(f"{han_value(whole)}.{decimals}") if rest else str(han_value(whole))


def _scaled(words: str) -> str:
    """3万5千 is 35000, 1.2亿 is 120000000."""
    total = Decimal(0)
    for number, units in _HAN_PIECE.findall(words):
        if len(number) > _MOST_DIGITS:
            return arabic_value(number)
        value = Decimal(number.replace(",", ""))
        for unit in units:
            value *= UNITS[unit]
        total += value
    return _text(total)


def _product(match: re.Match[str]) -> str:
    if len(match[1]) > _MOST_DIGITS:
        return arabic_value(match[1])
    scales = words_table()["scales"] | words_table()["short_scales"]
    return _text(Decimal(match[1].replace(",", "")) * scales[match[2].lower()])


def _values_of(words: str) -> list[str]:
    """The numbers that English words or digits tell: `two hundred and six`; `eight-thirty` are two.

    Nineteen ninety is a year: two halves of two digits, the first below 21.
    """
    if words[0].isdigit():
        return [arabic_value(words)]
    table = words_table()
    found: list[int] = []
    total, section, room = 0, 0, 0  # room: what a further word must be below to belong to the number
    for word in re.split(r"[\s-]+", words.lower()):
        scale = table["scales"].get(word)
        value = table["cardinals"].get(word) or table["ordinals"].get(word) or _LAST_ORDINALS.get(word)
        if scale is not None:
            section = (section or 1) * scale
            if scale > 100:
                total, section = total + section, 0
            room = scale
        elif value is not None:
            if 10 <= section <= 20 and value >= 10 and not total:
                section, room = section * 100 + value, _room(value)
            elif value < room or (not section and not total):
                section, room = section + value, _room(value)
            else:
                found.append(total + section)
                total, section, room = 0, value, _room(value)
    return [*map(str, found), str(total + section)]


def _room(value: int) -> int:
    """Twenty may be followed by a digit, seven and seventeen by none."""
    return 10 if value >= 20 else 0


def _plus(value: str, more: int) -> str:
    return _text(Decimal(value) + more) if len(value) <= _MOST_DIGITS else value


def _text(value: Decimal) -> str:
    return arabic_value(format(value, "f"))


@cache
def words_table() -> Mapping[str, Any]:
    """The tables of `number_words.toml`."""
    return tomllib.loads((files("zhiling.verification") / "number_words.toml").read_text(encoding="utf-8"))


@cache
def _english_words() -> str:
    table = words_table()
    number = "|".join([*table["cardinals"], *table["ordinals"]])
    scale = "|".join(table["scales"])
    further = rf"(?:[\s-]+(?:and\s+)?(?:{number}|{scale}))*(?:-(?:first|second))?"
    return rf"(?:(?:an?\s+)(?:{scale})|(?:{number})){further}"


@cache
def _english() -> re.Pattern[str]:
    return re.compile(rf"(?<![a-z])(?:{_english_words()})(?![a-z])", re.IGNORECASE)


@cache
def _word_percent() -> re.Pattern[str]:
    return re.compile(rf"(?<![a-z])({_english_words()})[\s-]+(?:percent|per cent)\b", re.IGNORECASE)


@cache
def _before_the_hour() -> re.Pattern[str]:
    number = "|".join(words_table()["cardinals"])
    part = rf"{number}|\d{{1,2}}"
    early = rf"(?:{part})(?:[\s-](?:{number}))?|quarter"
    return re.compile(rf"(?<![\w-])({early})(?: minutes)? to ({part})(?![\w-])", re.IGNORECASE)


@cache
def _english_scaled() -> re.Pattern[str]:
    scales = "|".join([*words_table()["scales"], *words_table()["short_scales"]])
    return re.compile(rf"({_DIGITS})[\s-]?({scales})(?![A-Za-z])", re.IGNORECASE)


@cache
def _measured() -> re.Pattern[str]:
    return re.compile("|".join(sorted(words_table()["chinese"]["measures"], key=len, reverse=True)))


@cache
def _idioms() -> re.Pattern[str]:
    """Idioms where no numeral stands beside them: 千万 is one, 三千万 is a number."""
    idioms = "|".join(words_table()["chinese"]["idioms"])
    return re.compile(rf"(?<![{_HAN}\d])(?:{idioms})(?![{_HAN}年月])")
