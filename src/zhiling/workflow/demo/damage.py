"""What goes wrong in an export: swapped replies, wrong labels, cut replies, injections, broken lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from zhiling.workflow.demo.material import (
    LANGUAGES,
    PUNCTUATION,
    Desk,
    Planted,
    Ticket,
    line_of,
    pick,
    shuffled,
    word_list,
)
from zhiling.workflow.demo.personal_data import append

PAIRINGS_PER_LANGUAGE = 18  # even: replies change places two by two
LABELS_PER_LANGUAGE = 30
TRUNCATED_PER_LANGUAGE = 15
INJECTIONS_PER_LANGUAGE = 3
UNREADABLE = ("broken_json", "undecodable", "nul_bytes", "missing_text")

_MIN_REPLY = 30
_NUL_BYTES = 12


def plant_wrong_pairings(desk: Desk, draws: np.random.Generator) -> None:
    """Two-turn conversations whose replies, of two intents, changed places."""
    for language in LANGUAGES:
        short = [entry for entry in shuffled(draws, desk.clean(language)) if len(entry.ticket.turns) == 2]
        for _ in range(PAIRINGS_PER_LANGUAGE // 2):
            first = short.pop()
            second = next(entry for entry in reversed(short) if entry.ticket.intent != first.ticket.intent)
            short.remove(second)
            replies = first.ticket.turns[1].text, second.ticket.turns[1].text
            for entry, other, reply in ((first, second, replies[1]), (second, first, replies[0])):
                entry.ticket = entry.ticket.say(1, reply)
                entry.planted = Planted("wrong_pairings", 1, other.id, other.ticket.intent)


def plant_wrong_labels(desk: Desk, draws: np.random.Generator) -> None:
    """Conversations filed under another intent; truth names the right one."""
    intents = sorted({entry.ticket.intent for entry in desk.entries})
    for language in LANGUAGES:
        for entry in shuffled(draws, desk.clean(language))[:LABELS_PER_LANGUAGE]:
            right = entry.ticket.intent
            wrong = pick(draws, [intent for intent in intents if intent != right])
            entry.ticket = replace(entry.ticket, intent=wrong)
            entry.planted = Planted("wrong_labels", 0, right, wrong)


def plant_truncated_replies(desk: Desk, draws: np.random.Generator) -> None:
    """The last reply cut at 50 to 80 %, never at a punctuation mark; truth holds the whole reply."""
    for language in LANGUAGES:
        long = [entry for entry in shuffled(draws, desk.clean(language)) if _cuttable(entry.ticket)]
        for entry in long[:TRUNCATED_PER_LANGUAGE]:
            turn = len(entry.ticket.turns) - 1
            whole = entry.ticket.turns[turn].text
            places = [place for place in range(len(whole) // 2, len(whole) * 4 // 5) if _inside(whole, place)]
            entry.ticket = entry.ticket.say(turn, whole[: pick(draws, places)])
            entry.planted = Planted("truncated_replies", turn, whole)


def plant_injections(desk: Desk, draws: np.random.Generator) -> None:
    """Customers who command the model that reads them; truth holds the sentence."""
    for language in LANGUAGES:
        sentences = shuffled(draws, word_list("injections.toml")[language]["customer"])[
            :INJECTIONS_PER_LANGUAGE
        ]
        for entry, sentence in zip(shuffled(draws, desk.clean(language)), sentences, strict=False):
            turn = entry.ticket.spoken_by("customer")[-1]
            entry.ticket = entry.ticket.say(turn, append(entry.ticket.turns[turn].text, sentence, language))
            entry.planted = Planted("injections", turn, sentence)


def plant_unreadable_lines(desk: Desk, draws: np.random.Generator) -> None:
    """Replies of two-turn conversations whose line cannot be read; `damaged_line` writes them so."""
    for language in LANGUAGES:
        short = [entry for entry in shuffled(draws, desk.clean(language)) if len(entry.ticket.turns) == 2]
        # The English line gets a sign of cp1252 behind it, so the rest of it has to fit that encoding.
        plain = [entry for entry in short if language == "zh" or entry.ticket.text.isascii()]
        for entry, kind in zip(plain, UNREADABLE, strict=False):
            entry.planted = Planted("unreadable_lines", 1, entry.ticket.turns[1].text, kind)


def damaged_line(record: Mapping[str, Any], kind: str, language: str) -> bytes:
    """The record as an unreadable line of this kind (see `UNREADABLE`)."""
    line = line_of(record)
    if kind == "broken_json":
        return line[: len(line) // 2].decode(errors="ignore").encode()
    if kind == "undecodable":
        if language == "zh":
            return line.decode().encode("gb18030")
        return line_of({**record, "text": f"{record['text']} – Heronlight"}).decode().encode("cp1252")
    if kind == "nul_bytes":
        middle = line.index(b'"text"') + 20
        return line[:middle] + bytes(_NUL_BYTES) + line[middle + _NUL_BYTES :]
    return line_of({name: value for name, value in record.items() if name != "text"})


def inject_page(page: Path, language: str, draws: np.random.Generator) -> tuple[int, str]:
    """Puts a command for models between two paragraphs of a manual page; its line number and its text."""
    sentence = word_list("injections.toml")[language]["manual"]
    lines = page.read_text(encoding="utf-8").split("\n")
    after_text = [place for place in range(3, len(lines)) if not lines[place] and lines[place - 1]]
    place = pick(draws, after_text)
    lines[place:place] = ["", sentence]
    page.write_text("\n".join(lines), encoding="utf-8", newline="\n")
    return place + 2, sentence


def _cuttable(ticket: Ticket) -> bool:
    last = ticket.turns[-1]
    return last.speaker == "agent" and len(last.text) >= _MIN_REPLY


def _inside(text: str, place: int) -> bool:
    """True where a cut in front of `place` leaves a part that ends in a letter or digit, amid a sentence."""
    return text[place - 1].isalnum() and not set(text[place - 1 : place + 1]) & PUNCTUATION
