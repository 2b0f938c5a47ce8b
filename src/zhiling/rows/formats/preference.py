"""Pairs of answers as JSON Lines: TRL's `prompt, chosen, rejected`, LLaMA-Factory v1's two conversations."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from zhiling.rows.formats.answers import pairs, preferred
from zhiling.rows.formats.draft import Draft, Message, Unreadable
from zhiling.rows.formats.json_lines import info_entry, understood
from zhiling.rows.formats.sides import Sides
from zhiling.rows.formats.spoken import UNLISTED, turns_in

_WHOLE = ("chosen_messages", "rejected_messages")


class Preference(Sides):
    """One line for each rejected answer; the row's reply is the chosen one."""

    name: ClassVar[str] = "preference"
    OWN = frozenset({"prompt", "chosen", "rejected", *_WHOLE})

    form: Literal["conversation", "text", "implicit", "implicit_text", "v1"] = Field(
        default="conversation",
        description="`conversation`, `text`: prompt and answers as lists of messages or as texts; "
        "`implicit`: whole conversations that begin alike; `implicit_text`: answers without prompt; "
        "`v1`: whole conversations as chosen_messages and rejected_messages",
    )

    def holds(self) -> frozenset[str]:
        """See `JsonLines.holds`."""
        held = {"alternatives", "tools"}
        return frozenset(held if "text" in self.form else held | {"media", "reply_border"})

    def claim(self, fields: Mapping[str, type]) -> int:
        """It is one with two answers, as texts or as lists."""
        short = {fields.get("chosen"), fields.get("rejected")} <= {str, list}
        whole = all(fields.get(name) is list for name in _WHOLE)
        return understood(fields, self.own_fields()) if short or whole else 0

    def read(self, record: Mapping[str, Any]) -> Draft:
        """The row of a record."""
        names = _WHOLE if record.get(_WHOLE[0]) is not None else ("chosen", "rejected")
        for name in names:
            if not record.get(name) and not isinstance(record.get(name), str):
                raise Unreadable("missing_field", f"{name} is missing; a preference needs two answers")
        chosen, rejected = (self.side(record[name], name, "assistant") for name in names)
        if record.get("prompt") is not None:
            return preferred(self.side(record["prompt"], "prompt", "user"), chosen, rejected)
        shared = _shared(chosen, rejected)
        return preferred(chosen[:shared], chosen[shared:], rejected[shared:])

    def notation(self, record: Mapping[str, Any]) -> Self:
        """The form of this record, and how it spells messages."""
        listed = isinstance(record.get("chosen"), list)
        if record.get(_WHOLE[0]) is not None:
            form = "v1"
        elif record.get("prompt") is not None:
            form = "conversation" if listed or isinstance(record["prompt"], list) else "text"
        else:
            form = "implicit" if listed else "implicit_text"
        turns = turns_in(record, "prompt", "chosen", "rejected", *_WHOLE)
        return self.notation_of(turns, record).model_copy(update={"form": form})

    def records(self, draft: Draft, lost: set[str]) -> list[dict[str, Any]]:
        """The records of one row; see `JsonLines.records`."""
        prompt, rejected, best = pairs(draft, lost)
        if "text" in self.form:
            return self._texts(prompt, rejected, best, lost)
        if self.form == "conversation":
            head, chosen = self.spoken(prompt, lost), self.spoken(best, lost)
            return [
                {
                    "prompt": head,
                    "chosen": chosen,
                    "rejected": None if poor is None else self.spoken(poor, lost),
                }
                for poor in rejected
            ]
        first, second = _WHOLE if self.form == "v1" else ("chosen", "rejected")
        chosen = self.spoken([*prompt, *best], lost)
        for poor in rejected:
            if poor and _shared([*prompt, *best], [*prompt, *poor]) != len(prompt):
                lost.add("prompt_border")  # answers that begin alike: the beginning reads back as prompt
        return [
            {first: chosen, second: None if poor is None else self.spoken([*prompt, *poor], lost)}
            for poor in rejected
        ]

    def dataset_info(self, file_name: str, fields: Collection[str] = ()) -> dict[str, Any] | None:
        """An entry with `ranking`, where prompt and answers are texts."""
        if self.form != "text":
            return None
        columns = {"prompt": "prompt", "chosen": "chosen", "rejected": "rejected"}
        return info_entry(
            file_name, columns | {name: name for name in sorted(set(fields) - UNLISTED)}, ranking=True
        )

    def _texts(
        self,
        prompt: Sequence[Message],
        rejected: Sequence[Sequence[Message] | None],
        best: Sequence[Message],
        lost: set[str],
    ) -> list[dict[str, Any]]:
        head: dict[str, Any] = {}
        if self.form == "text":
            head["prompt"] = self.question(prompt, lost)
        elif prompt:
            lost.add("prompt")
        chosen = self.answer(best, lost)
        return [
            {**head, "chosen": chosen, "rejected": None if poor is None else self.answer(poor, lost)}
            for poor in rejected
        ]


def _shared(chosen: Sequence[Message], rejected: Sequence[Message]) -> int:
    """How many messages both begin with; at least one is left for each answer."""
    limit = min(len(chosen), len(rejected)) - 1
    count = 0
    while count < limit and chosen[count] == rejected[count]:
        count += 1
    return count
