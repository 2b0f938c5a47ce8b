"""Multiple choice: a question, its options, and which of them is right."""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Any

from zhiling.rows.target import CHOICE, CONTEXT, QUESTION
from zhiling.sources.labelled.example import (
    Example,
    Text,
    Unreadable,
    Values,
    optional_text,
    parsed,
    spelled,
    text_of,
    whole_number,
)
from zhiling.sources.labelled.manner import Manner
from zhiling.sources.records.json_values import as_list, as_object

Option = tuple[str, str]
"""Its letter, and its text."""


def choice(values: Values, manner: Manner) -> Example:
    """A question with its options as messages; the right one as an index."""
    context = optional_text(values, "context")
    texts = [Text("document", context, CONTEXT)] if context else []
    texts.append(Text("user", text_of(values, "question"), QUESTION))
    options = _options(values.get("choices"))
    texts += [Text("user", text, CHOICE) for _, text in options]
    answer = parsed(values.get("answer"))
    if answer in (None, "") or (isinstance(answer, str) and answer in manner.missing):
        return Example(texts)
    return Example(texts, {"choice": _right(answer, options, manner)})


def _options(value: Any) -> list[Option]:
    """Options of a list of texts, of objects with label and text, or of an object.

    Raises:
        Unreadable: `wrong_type`, `empty_choice`, `one_choice`.
    """
    value = parsed(value)
    columns = as_object(value)
    if columns is not None and isinstance(columns.get("text"), list):  # {"text": […], "label": […]}
        labels = as_list(columns.get("label")) or []
        given = [(_letter(number, labels), text) for number, text in enumerate(columns["text"])]
    elif columns is not None:
        given = list(columns.items())
    else:
        given = [_option(each, number) for number, each in enumerate(as_list(value) or [])]
    while given and given[-1][1] in (None, ""):  # a table has a column for the longest list
        given.pop()
    options = [(letter, spelled(text, f"choice {letter}")) for letter, text in given]
    found = [(letter, text) for letter, text in options if text and not text.isspace()]
    if len(found) < len(options):
        raise Unreadable("empty_choice", f"an option is empty among {value!r:.80}; each needs a text")
    if len(found) < 2:
        raise Unreadable("one_choice", f"choices are {value!r:.60}; a list of two or more is needed")
    return found


def _option(value: Any, number: int) -> tuple[str, Any]:
    named = as_object(value)
    if named is None:
        return _letter(number), value
    return str(named.get("label", _letter(number))), named.get("text")


def _letter(number: int, labels: Sequence[Any] = ()) -> str:
    if number < len(labels):
        return str(labels[number])
    return string.ascii_uppercase[number] if number < 26 else str(number + 1)


def _right(answer: Any, options: list[Option], manner: Manner) -> int:
    """Index of the right option.

    `auto` takes a text as a letter, failing that as an option's text, failing that as an index from 0.

    Raises:
        Unreadable: `unknown_choice`, `answer_outside`, `ambiguous_answer`.
    """
    how = manner.answer_as
    if isinstance(answer, list | dict | bool):
        raise Unreadable("wrong_type", f"answer is {answer!r:.60}; a letter, an index or a text is needed")
    told = str(answer).strip()
    letters = [letter.strip().casefold() for letter, _ in options]
    if how == "letter" or (how == "auto" and isinstance(answer, str) and told.casefold() in letters):
        return _only(told.casefold(), letters, told)
    texts = [text.strip() for _, text in options]
    if how == "text" or (how == "auto" and isinstance(answer, str) and told in texts):
        return _only(told, texts, told)
    index = whole_number(answer)
    if index is None:
        raise _unknown(told, options)
    index -= how == "number"
    if not 0 <= index < len(options):
        counted = "from 1" if how == "number" else "from 0; `answer_as: number` counts from 1"
        raise Unreadable(
            "answer_outside", f"answer is {answer!r}, of {len(options)} options counted {counted}"
        )
    return index


def _only(wanted: str, among: list[str], told: str) -> int:
    if among.count(wanted) == 1:
        return among.index(wanted)
    if wanted in among:
        raise Unreadable("ambiguous_answer", f"answer {told!r:.60} is {among.count(wanted)} of the options")
    raise Unreadable("unknown_choice", f"answer {told!r:.60} is none of {', '.join(among)[:80]}")


def _unknown(told: str, options: list[Option]) -> Unreadable:
    letters = ", ".join(letter for letter, _ in options)
    return Unreadable(
        "unknown_choice", f"answer {told!r:.60} is neither one of {letters} nor an option's text"
    )
