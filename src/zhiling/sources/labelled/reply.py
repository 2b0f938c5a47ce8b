"""Texts with what a model should write of them: translations, summaries, code with tests, given words."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

import orjson

from zhiling.errors import UsageError
from zhiling.sources.labelled.example import (
    Example,
    Text,
    Unreadable,
    Values,
    optional_text,
    parsed,
    spelled,
    text_of,
    texts_of,
)
from zhiling.sources.labelled.manner import Manner
from zhiling.sources.records.json_values import as_list

MAX_LITERAL_CHARACTERS = 100_000
_HAN = re.compile("[\u3400-\u9fff\U00020000-\U0003ffff]")
_BETWEEN_WORDS = re.compile(r"\s*[,，、;；|\n]\s*")


def translation(values: Values, manner: Manner) -> Example:
    """A text in one language and the same in another."""
    if manner.languages is None:
        raise UsageError(
            "the languages of the translations are not known",
            hint="set `languages: [en, zh]` (of source and target), as BCP-47 tags",
        )
    source, target = manner.languages
    texts = [Text("user", text_of(values, "source"))]
    replies = _replies(values, "target", "targets")
    if not replies:
        return Example(texts, language=source)
    texts.append(Text("assistant", replies[0]))
    return Example(texts, {"source_language": source, "target_language": target}, replies[1:], source)


def summary(values: Values, _: Manner) -> Example:
    """A text (a document, a dialogue) and one or several summaries of it."""
    return _replied(values, _replies(values, "summary", "summaries"))


def reply(values: Values, _: Manner) -> Example:
    """An instruction and one or several right replies."""
    return _replied(values, _replies(values, "reply", "replies"))


def _replied(values: Values, replies: list[str]) -> Example:
    asked = Text("user", text_of(values, "text"))
    if not replies:
        return Example([asked])
    return Example([asked, Text("assistant", replies[0])], others=replies[1:])


def _replies(values: Values, one: str, several: str) -> list[str]:
    """Right replies in their order, each once; `several` is always a list, if need be as a literal."""
    told = [*_texts(values, one), *_texts({several: _literal(values.get(several))}, several)]
    return list(dict.fromkeys(text for text in told if text and not text.isspace()))


def _texts(values: Values, name: str) -> list[str]:
    value = values.get(name)
    if isinstance(value, list):
        return texts_of(value, name)
    return [spelled(value, name) or ""]


def _literal(value: Any) -> Any:
    """A list that a text spells in JSON or as a Python literal.

    Raises:
        Unreadable: `broken_list`.
    """
    value = parsed(value)
    if not isinstance(value, str) or not value.startswith("["):
        return value
    if len(value) > MAX_LITERAL_CHARACTERS:
        raise Unreadable(
            "broken_list", f"the list has {len(value)} characters; {MAX_LITERAL_CHARACTERS} are read"
        )
    try:
        spelled_out = ast.literal_eval(value)
        orjson.dumps(spelled_out)  # half a surrogate pair is no text, and a set is no list
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        message = f"replies are {value!r:.60}: {error}; a list of texts is needed"
        raise Unreadable("broken_list", message) from error
    return spelled_out


def code(values: Values, _: Manner) -> Example:
    """A programming task, a program that solves it, and tests that it passes.

    Where the set names an entry point (HumanEval), the task is the beginning of a program, so the reply is
    the whole of it, and the tests call `check` with the function of that name.

    Line ends become LF: CR LF and CR end a line of Python just as well, also inside of its strings, so no
    program changes its meaning, and no model learns to write them.
    """
    task = _lines(text_of(values, "text"))
    program, entry = optional_text(values, "code"), optional_text(values, "entry_point")
    texts = [Text("user", task)]
    if program is not None:
        texts.append(Text("assistant", _lines(task + program if entry else program)))
    tests = [_lines(test) for test in texts_of(values.get("tests"), "tests") if not test.isspace()]
    if not tests:
        return Example(texts)
    if entry:
        tests = [f"{test}\n\ncheck({entry})" for test in tests]
    setup = optional_text(values, "setup")
    return Example(
        texts, {"tests": tests, **({"setup": _lines(setup)} if setup else {}), "language": "python"}
    )


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def controlled(values: Values, _: Manner) -> Example:
    """Words that a reply must hold, and such a reply; the words are what is asked, failing a `text`."""
    words = list(_words(values))
    asked = optional_text(values, "text")
    if asked is None:
        asked = ("、" if any(map(_HAN.search, words)) else ", ").join(words)
    replies = _replies(values, "reply", "replies")
    texts = [Text("user", asked)] + [Text("assistant", reply) for reply in replies[:1]]
    return Example(texts, {"constraints": [{"kind": "include", "values": words}]}, replies[1:])


def _words(values: Values) -> Iterator[str]:
    """Words of a list, or of a text in which commas stand between them."""
    value = parsed(values.get("words"))
    parts = as_list(value)
    if parts is None:
        parts = _BETWEEN_WORDS.split(text_of(values, "words").strip())
    for part in parts:
        if not isinstance(part, str) or not part.strip():
            raise Unreadable("wrong_type", f"words are {value!r:.60}; a list of words is needed")
        yield part.strip()
