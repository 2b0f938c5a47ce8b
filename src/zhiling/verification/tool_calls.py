"""Tool calls: they name tools that there are, their arguments fit, each is answered; replies fit a schema."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import orjson
import polars as pl
from pydantic import Field

from zhiling.errors import MissingInput, UsageError
from zhiling.pipeline.step import Context
from zhiling.rows.conversation import flatten, has_reply
from zhiling.verification.check import Check, Problem, Row
from zhiling.verification.constraint_kinds import json_of
from zhiling.verification.replies import Messages
from zhiling.verification.schemas import broken_rule
from zhiling.verification.tools import Fault, faults


class ToolCalls(Check):
    """Rejects rows whose tool calls do not fit the row's tools, or whose reply does not fit a JSON schema.

    Calls are OpenAI's or bare `name, arguments`; arguments are checked against the schema of the tool. Where
    a row tells no tools, the form of its calls alone is checked. Calls that end the row need no result.

    Reasons, the first that holds: `broken_tools` (no list of functions, or a schema that is none),
    `broken_call` (no name, or arguments that are no JSON object), `unknown_tool`, `wrong_arguments`,
    `unanswered_call`, `stray_result`, `wrong_reply` (the last reply is no JSON that fits `reply_schema`).
    Score: how many problems there are.
    """

    name: ClassVar[str] = "tool_calls"
    about = ("dialogue",)
    cost: ClassVar[str] = (
        "cheap: about 50 microseconds a call; needs the extra `verification` where schemas are checked"
    )
    limits: ClassVar[str] = (
        "Form only: whether it was the right tool, and the right argument, is not known. `format` of a "
        "schema is not judged, and a schema that refers to another document is broken: nothing is fetched."
    )
    source: ClassVar[str] = "JSON Schema, draft 2020-12 or the draft that a schema names (library jsonschema)"

    unnamed_arguments: bool = Field(
        default=False, description="whether arguments may stand that a tool's schema does not name"
    )
    reply_schema: str | None = Field(
        None, description="JSON file with the schema that the last reply fits; null: replies are not checked"
    )

    Reason = Fault

    def reads(self) -> tuple[str, ...]:
        """Conversation and tools."""
        return ("messages", "tools")

    def files(self) -> tuple[str, ...]:
        """The schema of replies."""
        return () if self.reply_schema is None else (self.reply_schema,)

    def applies(self, rows: pl.DataFrame) -> pl.Series:
        """Rows with calls or results of tools; all with a reply where replies are checked."""
        lines = flatten(rows["messages"])
        busy = (pl.col("role") == "tool") | (pl.col("tool_calls").fill_null("") != "")
        calling = set(lines.filter(busy)["row"])
        called = pl.Series([row in calling for row in range(rows.height)], dtype=pl.Boolean)
        return called | has_reply(rows["messages"]) if self.reply_schema is not None else called

    def problems(self, row: Row, context: Context) -> Iterator[Problem]:
        """What is wrong with one row."""
        messages: Messages = row["messages"] or []
        for fault, told in faults(messages, row["tools"], unnamed=self.unnamed_arguments):
            yield Problem(fault, told)
        if self.reply_schema is not None:
            yield from self._of_reply(messages, _schema_in(context.root / self.reply_schema))

    def _of_reply(self, messages: Messages, schema: Any) -> Iterator[Problem]:
        said = [turn["text"] for turn in messages if turn["role"] == "assistant" and turn["text"]]
        value = json_of(said[-1]) if said else None
        if value is None:
            reply = said[-1] if said else ""
            yield Problem(Fault.WRONG_REPLY, f"the reply is no JSON object or list: {reply!r:.60}")
        elif broken := broken_rule(value, schema):
            yield Problem(Fault.WRONG_REPLY, broken)


def _schema_in(path: Path) -> Any:
    return _schema(path, path.stat().st_mtime_ns if path.is_file() else 0)


@lru_cache(maxsize=4)
def _schema(path: Path, _changed_ns: int) -> Any:
    """A schema from its file, read once.

    Raises:
        MissingInput: the file is not there.
        UsageError: it is no JSON.
    """
    try:
        return orjson.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise MissingInput(f"reply_schema {path.name!r} is not there", place=str(path)) from error
    except orjson.JSONDecodeError as error:
        raise UsageError(f"reply_schema {path.name!r} is no JSON: {error.msg}", place=str(path)) from error
