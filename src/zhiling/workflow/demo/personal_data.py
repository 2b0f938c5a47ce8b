"""Invented personal data in natural sentences: valid in form, and nobody's.

Reserved where a reservation exists: hosts (RFC 2606), addresses (RFC 5737, RFC 3849), telephone numbers
for fiction (Ofcom; Bundesnetzagentur; NANPA 555-01XX). Chinese mobile numbers begin with 154, which no
operator has; resident ids carry the code of a city as a whole, under which none is issued; cards begin
with the test prefixes of the networks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from zhiling.workflow.demo.material import LANGUAGES, Desk, Planted, Speaker, pick, shuffled, word_list

PER_LANGUAGE = 25

_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECKS = "10X98765432"
_CITIES = ("110100", "120100", "310100", "330100", "440300", "510100")
_CARDS = ("400000", "555555", "620000")
_NAMES = (
    "linxia",
    "wang.yu",
    "heron42",
    "m.keller",
    "j_oduya",
    "sofia.r",
    "chen-mo",
    "t.novak",
    "amira",
    "zhaoq",
)
_CLOSING = "”’）》)\"'%"
_NETWORKS = ("192.0.2.", "198.51.100.", "203.0.113.")


def luhn_digit(digits: str) -> str:
    """The check digit of a card number; 3 for 7992739871. Source: ISO/IEC 7812-1, annex B."""
    doubled = [int(digit) * (2 - place % 2) for place, digit in enumerate(reversed(digits))]
    return str(-sum(value // 10 + value % 10 for value in doubled) % 10)


def resident_id_check(digits: str) -> str:
    """The last sign of a Chinese resident id; X for 11010519491231002. Source: GB 11643-1999."""
    weighted = sum(weight * int(digit) for weight, digit in zip(_ID_WEIGHTS, digits, strict=True))
    return _ID_CHECKS[weighted % 11]


def _digits(draws: np.random.Generator, count: int) -> str:
    return "".join(str(digit) for digit in draws.integers(0, 10, count))


def _email(draws: np.random.Generator) -> str:
    host = pick(draws, ("example.com", "example.org", "mail.example.com"))
    return f"{pick(draws, _NAMES)}{draws.integers(10, 100)}@{host}"


def _phone_cn(draws: np.random.Generator) -> str:
    number = f"154{_digits(draws, 8)}"
    spaced = f"{number[:3]} {number[3:7]} {number[7:]}"
    return pick(draws, (number, spaced, spaced.replace(" ", "-"), f"+86 {number}"))


def _phone_foreign(draws: np.random.Generator) -> str:
    three = _digits(draws, 3)
    return pick(
        draws,
        (f"+44 7700 900{three}", f"020 7946 0{three}", f"+1 202-555-01{three[:2]}", f"+49 30 23125 {three}"),
    )


def _card(draws: np.random.Generator) -> str:
    head = pick(draws, _CARDS) + _digits(draws, 9)
    number = head + luhn_digit(head)
    blocks = [number[start : start + 4] for start in range(0, 16, 4)]
    return pick(draws, (number, " ".join(blocks), "-".join(blocks)))


def _resident_id(draws: np.random.Generator) -> str:
    born = f"{draws.integers(1956, 2004)}{draws.integers(1, 13):02d}{draws.integers(1, 29):02d}"
    head = f"{pick(draws, _CITIES)}{born}{_digits(draws, 3)}"
    return head + resident_id_check(head)


def _ip(draws: np.random.Generator) -> str:
    if draws.random() < 0.2:
        return f"2001:db8:{draws.integers(1, 0xFFFF):x}::{draws.integers(1, 0xFFFF):x}"
    return f"{pick(draws, _NETWORKS)}{draws.integers(1, 255)}"


def _secret(draws: np.random.Generator) -> str:
    return draws.bytes(12).hex()


KINDS: Mapping[str, Callable[[np.random.Generator], str]] = {
    "email": _email,
    "phone_cn": _phone_cn,
    "phone_foreign": _phone_foreign,
    "card": _card,
    "resident_id": _resident_id,
    "ip": _ip,
    "url_secret": _secret,
}


def plant_personal_data(desk: Desk, draws: np.random.Generator) -> None:
    """A sentence with one invented value in a turn of some conversations; truth names the value and its kind.

    Of a URL the value is its secret alone: the rest of the address may stay.
    """
    sentences = word_list("carriers.toml")
    for language in LANGUAGES:
        chosen = shuffled(draws, desk.clean(language))[:PER_LANGUAGE]
        for place, entry in enumerate(chosen):
            kind = list(KINDS)[place % len(KINDS)]
            value = KINDS[kind](draws)
            speaker: Speaker = "agent" if draws.random() < 0.25 else "customer"
            sentence = pick(draws, sentences[language][kind][speaker]).format(_shown(draws, kind, value))
            turn = pick(draws, entry.ticket.spoken_by(speaker))
            entry.ticket = entry.ticket.say(turn, append(entry.ticket.turns[turn].text, sentence, language))
            entry.planted = Planted("personal_data", turn, value, kind)


def _shown(draws: np.random.Generator, kind: str, value: str) -> str:
    if kind != "url_secret":
        return value
    page = pick(draws, ("login", "order/confirm", "reset", "invoice"))
    return f"https://app.example.com/{page}?lang=2&token={value}"


def append(text: str, sentence: str, language: str) -> str:
    """The text with a further sentence, joined as people write in that language."""
    unfinished = text[-1].isalnum() or text[-1] in _CLOSING
    if language == "zh":
        return f"{text}，{sentence}" if unfinished else f"{text}{sentence}"
    return f"{text}. {sentence}" if unfinished else f"{text} {sentence}"
