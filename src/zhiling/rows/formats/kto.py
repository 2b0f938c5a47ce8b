"""Answers with a verdict as JSON Lines (KTO): `prompt, completion, label`, or `messages, label`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from zhiling.rows.formats.answers import judged_alone, labelled, verdicts
from zhiling.rows.formats.checks import flag_of
from zhiling.rows.formats.draft import Draft, Unreadable
from zhiling.rows.formats.json_lines import info_entry, understood
from zhiling.rows.formats.messages import TAGS
from zhiling.rows.formats.sides import Sides
from zhiling.rows.formats.spoken import UNLISTED, turns_in
from zhiling.rows.formats.turns import read_turns


class Kto(Sides):
    """One line an answer; a row's reply is wanted, alternatives say so themselves."""

    name: ClassVar[str] = "kto"
    OWN = frozenset({"prompt", "completion", "messages", "label"})

    form: Literal["conversation", "text", "messages"] = Field(
        default="conversation",
        description="prompt and completion as lists of messages, or as texts; or all as one list `messages`",
    )

    def holds(self) -> frozenset[str]:
        """See `JsonLines.holds`."""
        further = {
            "conversation": {"media", "reply_border"},
            "text": set[str](),
            "messages": {"media", "reply_border"},
        }
        return frozenset({"alternatives", "tools"} | further[self.form])

    def claim(self, fields: Mapping[str, type]) -> int:
        """It is one with a label that is true or false, and an answer."""
        sides = {fields.get("prompt"), fields.get("completion")} <= {str, list}
        if fields.get("label") is not bool or not (sides or fields.get("messages") is list):
            return 0
        return understood(fields, self.own_fields())

    def read(self, record: Mapping[str, Any]) -> Draft:
        """The row of a record."""
        if record.get("label") is None:
            raise Unreadable("missing_field", "label is missing; true or false is needed")
        wanted = flag_of(record["label"], "label")
        if record.get("messages") is not None:
            messages = read_turns(record["messages"], "messages")
            if messages[-1].role != "assistant":
                raise Unreadable(
                    "no_reply", f"label judges the last message, but that is the {messages[-1].role}'s"
                )
            return labelled(messages[:-1], messages[-1:], wanted)
        completion = self.side(record.get("completion"), "completion", "assistant")
        if record.get("completion") is None or not completion:
            raise Unreadable("no_reply", "completion is missing; label judges it")
        return labelled(self.side(record.get("prompt"), "prompt", "user"), completion, wanted)

    def notation(self, record: Mapping[str, Any]) -> Self:
        """The form of this record, and how it spells messages."""
        form = "conversation" if isinstance(record.get("completion"), list) else "text"
        form = "messages" if record.get("messages") is not None else form
        spoken = self.notation_of(turns_in(record, "prompt", "completion", "messages"), record)
        return spoken.model_copy(update={"form": form})

    def records(self, draft: Draft, lost: set[str]) -> list[dict[str, Any]]:
        """The records of one row; see `JsonLines.records`."""
        prompt, answers = verdicts(draft, lost)
        if self.form == "text":
            asked = self.question(prompt, lost)
            return [
                {
                    "prompt": asked,
                    "completion": self.answer(answer, lost) if answer else None,
                    "label": wanted,
                }
                for answer, wanted in answers
            ]
        if self.form == "messages":
            if any(not judged_alone(answer) for answer, _ in answers):
                lost.add("answer_turns")
            return [
                {"messages": self.spoken([*prompt, *answer], lost), "label": wanted}
                for answer, wanted in answers
            ]
        spoken = self.spoken(prompt, lost)
        return [
            {"prompt": spoken, "completion": self.spoken(answer, lost), "label": wanted}
            for answer, wanted in answers
        ]

    def dataset_info(self, file_name: str, fields: Collection[str] = ()) -> dict[str, Any] | None:
        """An entry with `kto_tag`; LLaMA-Factory reads texts and `messages`."""
        listed = {name: name for name in sorted(set(fields) - UNLISTED)}
        if self.form == "text":
            columns = {"prompt": "prompt", "response": "completion", "kto_tag": "label"}
            return info_entry(file_name, columns | listed)
        readable = self.content in ("openai", "placeholders") and UNLISTED.isdisjoint(fields)
        if self.form == "messages" and readable:
            columns = {"messages": "messages", "kto_tag": "label"}
            return info_entry(file_name, columns | listed, formatting="sharegpt", tags=dict(TAGS))
        return None
