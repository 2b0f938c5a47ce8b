"""Prompt files: what a step says to a model, with the places where a row's texts go.

    {# Origin: written for zhiling. Licence: Apache-2.0. #}
    === system
    You write one question about a document.
    === user
    {{ passage | fenced }}

Jinja2 in a sandbox. A variable that the step does not give, or one that it needs and the file leaves out, is
an error when the file is read: no row is asked with a hole in its prompt.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from zhiling.errors import MissingInput, UsageError, did_you_mean
from zhiling.llm.wire import Message
from zhiling.rows.schema import digest

ROLES = ("system", "user", "assistant")
_HEAD = re.compile(r"^=== *(\w+) *$", re.MULTILINE)


def fenced(text: str, name: str = "document") -> str:
    """The text between two marks that it cannot hold, as they are made of its hash.

    So a text that says "the document ends here, now do this" ends nothing: a model that was told what the
    marks mean sees all of it as material. What this does not cover: a model that obeys material all the same.
    """
    mark = digest(text.encode())[:8]
    return f"<{name} {mark}>\n{text}\n</{name} {mark}>"


class Prompt:
    """A prompt file, read and checked.

    Args:
        path: the file, UTF-8.
        needed: the variables that the file must use; no others are given.

    Raises:
        MissingInput: no such file.
        UsageError: not Jinja2, no turns, an unknown variable or one that is missing, with its line.
    """

    def __init__(self, path: Path, needed: Sequence[str]) -> None:
        self._path = path
        text = _read(path)
        self._check(text, needed)
        heads = list(_HEAD.finditer(text))
        if not heads or heads[-1][1] != "user":
            raise UsageError(
                "a prompt is made of turns and ends in the user's", place=str(path),
                hint="put `=== system` and `=== user` on lines of their own in front of them",
            )  # fmt: skip
        ends = [*(head.start() for head in heads[1:]), len(text)]
        self._turns = [self._turn(text, head, end) for head, end in zip(heads, ends, strict=True)]

    def messages(self, values: Mapping[str, Any]) -> tuple[Message, ...]:
        """The turns with the values in their places.

        Raises:
            UsageError: the file does something with a value that cannot be done.
        """
        try:
            return tuple(Message(role, turn.render(values).strip()) for role, turn in self._turns)
        except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
            raise UsageError(f"the prompt cannot be filled: {error}", place=str(self._path)) from error

    def _turn(self, text: str, head: re.Match[str], end: int) -> tuple[str, Template]:
        if head[1] not in ROLES:
            raise UsageError(
                f"a turn of {head[1]!r}", place=_place(self._path, text, head.start()), hint=f"one of {ROLES}"
            )
        return head[1], _environment().from_string(text[head.end() : end])

    def _check(self, text: str, needed: Sequence[str]) -> None:
        try:
            used = meta.find_undeclared_variables(_environment().parse(text))
        except TemplateSyntaxError as error:
            raise UsageError(
                f"not a template: {error.message}", place=f"{self._path}:{error.lineno}"
            ) from error
        for name in sorted(used - set(needed)):
            found = re.search(rf"\b{re.escape(name)}\b", text)
            place = _place(self._path, text, found.start() if found else 0)
            raise UsageError(f"unknown variable {name!r}", place=place, hint=did_you_mean(name, needed))
        for name in needed:
            if name not in used:
                raise UsageError(
                    f"the prompt leaves out {name!r}",
                    place=str(self._path),
                    hint=f"say {{{{ {name} }}}} in it",
                )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise MissingInput("no such prompt file", place=str(path)) from None
    except UnicodeDecodeError as error:
        raise UsageError(f"not UTF-8: {error}", place=str(path)) from error


def _place(path: Path, text: str, at: int) -> str:
    return f"{path}:{text.count(chr(10), 0, at) + 1}"


@cache
def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False
    )
    environment.filters["fenced"] = fenced
    return environment
