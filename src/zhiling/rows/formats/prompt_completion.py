"""Prompt and completion as JSON Lines, as TRL has them: two texts, or two lists of messages."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from zhiling.rows.formats.answers import joined, split
from zhiling.rows.formats.draft import Draft
from zhiling.rows.formats.json_lines import info_entry, understood
from zhiling.rows.formats.sides import Sides
from zhiling.rows.formats.spoken import UNLISTED, turns_in


class PromptCompletion(Sides):
    """One line a row; the completion is the row's reply."""

    name: ClassVar[str] = "prompt_completion"
    OWN = frozenset({"prompt", "completion"})

    form: Literal["conversation", "text"] = Field(
        default="conversation", description="prompt and completion as lists of messages, or as two texts"
    )

    def holds(self) -> frozenset[str]:
        """See `JsonLines.holds`."""
        return frozenset({"media", "tools", "reply_border"} if self.form == "conversation" else {"tools"})

    def claim(self, fields: Mapping[str, type]) -> int:
        """It is one with a prompt and a completion, or with nothing but a prompt."""
        if fields.get("prompt") not in (str, list) or fields.get("completion", str) not in (str, list):
            return 0
        alone = "completion" not in fields and not fields.keys() <= self.own_fields() | {"id"}
        return 0 if alone else understood(fields, self.own_fields())

    def read(self, record: Mapping[str, Any]) -> Draft:
        """The row of a record."""
        prompt = self.side(record.get("prompt"), "prompt", "user")
        if record.get("completion") is None:
            return Draft(prompt)
        return joined(prompt, self.side(record["completion"], "completion", "assistant"))

    def notation(self, record: Mapping[str, Any]) -> Self:
        """Texts or lists, and how messages are spelled."""
        form = "conversation" if isinstance(record.get("prompt"), list) else "text"
        spoken = self.notation_of(turns_in(record, "prompt", "completion"), record)
        return spoken.model_copy(update={"form": form})

    def records(self, draft: Draft, lost: set[str]) -> list[dict[str, Any]]:
        """The record of one row; see `JsonLines.records`."""
        prompt, reply = split(draft)
        if not reply:
            lost.add("no_reply")
        if self.form == "conversation":
            return [{"prompt": self.spoken(prompt, lost), "completion": self.spoken(reply, lost)}]
        return [{"prompt": self.question(prompt, lost), "completion": self.answer(reply, lost)}]

    def dataset_info(self, file_name: str, fields: Collection[str] = ()) -> dict[str, Any] | None:
        """An entry of formatting `alpaca`, where both are texts."""
        if self.form != "text":
            return None
        listed = {name: name for name in sorted(set(fields) - UNLISTED)}
        return info_entry(file_name, {"prompt": "prompt", "response": "completion"} | listed)
