"""ShareGPT as JSON Lines, as LLaMA-Factory has it: `{"conversations": [{"from", "value"}], "tools"?}`.

Tool calls are turns of their own (`function_call`, answered by `observation`), media are placeholders in the
texts with lists beside them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar, Literal, Self, cast

from pydantic import Field

from zhiling.rows.formats.answers import judged_alone, labelled, pairs, preferred, verdicts
from zhiling.rows.formats.checks import flag_of, text_of
from zhiling.rows.formats.draft import Draft, Message, Unreadable
from zhiling.rows.formats.json_lines import JsonLines, info_entry, understood
from zhiling.rows.formats.spoken import turns_in, with_noted
from zhiling.rows.formats.tool_calls import bare
from zhiling.rows.formats.turns import read_turn, read_turns

KTO_TAGS = ("label", "kto_tag")
SPEAKERS = {
    "human": {"user": "human", "assistant": "gpt", "tool": "observation"},
    "user": {"user": "user", "assistant": "assistant", "tool": "tool"},
}
_KEYS = {"from": ("from", "value"), "role": ("role", "content")}


class ShareGPT(JsonLines):
    """One line a row, one object a turn."""

    name: ClassVar[str] = "sharegpt"
    OWN = frozenset({"conversations", "system", "chosen", "rejected"})

    form: Literal["sft", "preference", "kto"] = Field(
        default="sft",
        description="`preference`: the prompt as conversations, one turn as chosen, one as rejected, a line "
        "for each rejected answer; `kto`: whether the last turn is wanted, a line for each answer",
    )
    keys: Literal["from", "role"] = Field(
        default="from", description="of a turn: `from` and `value`, or `role` and `content`"
    )
    speakers: Literal["human", "user"] = Field(
        default="human", description="`human`, `gpt`, `observation`, or `user`, `assistant`, `tool`"
    )
    system: Literal["turn", "field"] = Field(
        default="turn", description="where a leading system text stands: a turn, or a field of the line"
    )
    tag: Literal["label", "kto_tag"] = Field(
        default="label", description="the field of form `kto` that says whether the answer is wanted"
    )

    def holds(self) -> frozenset[str]:
        """See `JsonLines.holds`."""
        further = {
            "sft": set[str](),
            "preference": {"alternatives", "reply_border"},
            "kto": {"alternatives", "reply_border"},
        }
        return frozenset({"media", "tools"} | further[self.form])

    def claim(self, fields: Mapping[str, type]) -> int:
        """It is one with a list of conversations."""
        if fields.get("conversations") is not list:
            return 0
        return understood(fields, self.own_fields()) + any(fields.get(tag) is bool for tag in KTO_TAGS)

    def own_fields(self) -> frozenset[str]:
        """Fields that the format gives a meaning."""
        return super().own_fields() | ({self.tag} if self.form == "kto" else set[str]())

    def decode(self, record: Mapping[str, Any]) -> Draft:
        """The row of a record; see `Format.decode`."""
        draft = super().decode(record)
        tag = _tag_of(record)
        if tag is not None:
            draft.extra.pop(tag, None)
        return draft

    def read(self, record: Mapping[str, Any]) -> Draft:
        """The row of a record."""
        system = text_of(record.get("system"), "system")
        turns = record.get("conversations")
        messages = [Message("system", system)] if system else []
        if turns or not messages:
            messages += read_turns(turns, "conversations")
        answers = {name: record[name] for name in ("chosen", "rejected") if record.get(name) is not None}
        tag = _tag_of(record)
        if answers:
            return _preference(messages, answers)
        if tag is not None:
            if messages[-1].role != "assistant":
                raise Unreadable(
                    "no_reply", f"{tag} judges the last turn, but that is the {messages[-1].role}'s"
                )
            return labelled(messages[:-1], messages[-1:], flag_of(record[tag], tag))
        return Draft(messages)

    def notation(self, record: Mapping[str, Any]) -> Self:
        """The form of this record, and how it spells turns."""
        turns = [
            cast(dict[str, Any], turn) for turn in turns_in(record, "conversations") if isinstance(turn, dict)
        ]
        turns += [record[name] for name in ("chosen", "rejected") if isinstance(record.get(name), dict)]
        tag = _tag_of(record)
        settings: dict[str, Any] = {"system": "field" if record.get("system") else "turn"}
        if any("role" in turn for turn in turns):
            settings["keys"] = "role"
        if any(turn.get("role", turn.get("from")) in ("user", "assistant", "tool") for turn in turns):
            settings["speakers"] = "user"
        if record.get("chosen") is not None or record.get("rejected") is not None:
            settings["form"] = "preference"
        elif tag is not None:
            settings |= {"form": "kto", "tag": tag}
        return self.model_copy(update=settings)

    def records(self, draft: Draft, lost: set[str]) -> list[dict[str, Any]]:
        """The records of one row; see `JsonLines.records`."""
        if self.form == "preference":
            prompt, rejected, best = pairs(draft, lost)
            head, chosen = self._talk(prompt, lost), self._answer(best, lost)
            return [
                {**head, "chosen": chosen, "rejected": self._answer(poor or [], lost)} for poor in rejected
            ]
        if self.form == "kto":
            prompt, answers = verdicts(draft, lost)
            if any(not judged_alone(answer) for answer, _ in answers):
                lost.add("answer_turns")
            return [{**self._talk([*prompt, *answer], lost), self.tag: wanted} for answer, wanted in answers]
        return [self._talk(draft.messages, lost)]

    def dataset_info(self, file_name: str, fields: Collection[str] = ()) -> dict[str, Any] | None:
        """An entry of formatting `sharegpt`."""
        columns = {"messages": "conversations"} | ({"system": "system"} if self.system == "field" else {})
        columns |= {name: name for name in sorted(fields)}
        more: dict[str, Any] = {"formatting": "sharegpt"}
        if self.form == "preference":
            columns |= {"chosen": "chosen", "rejected": "rejected"}
            more["ranking"] = True
        if self.form == "kto":
            columns["kto_tag"] = self.tag
        if self.keys != "from" or self.speakers != "human":
            role, content = _KEYS[self.keys]
            names = SPEAKERS[self.speakers]
            more["tags"] = {
                "role_tag": role, "content_tag": content, "user_tag": names["user"],
                "assistant_tag": names["assistant"], "observation_tag": names["tool"],
                "function_tag": "function_call", "system_tag": "system",
            }  # fmt: skip
        return info_entry(file_name, columns, **more)

    def _talk(self, messages: Sequence[Message], lost: set[str]) -> dict[str, Any]:
        """Conversations, and the system text where it is a field."""
        if self.system == "turn":
            return {"conversations": self._turns(messages, lost)}
        leading = bool(messages) and messages[0].role == "system"
        if leading and messages[0].notes:
            lost.add("message_fields")
        text = (messages[0].text or "") if leading else ""
        return {"conversations": self._turns(messages[leading:], lost), "system": text}

    def _answer(self, answer: Sequence[Message], lost: set[str]) -> dict[str, Any] | None:
        turns = self._turns(answer, lost)
        if len(turns) > 1:
            lost.add("answer_turns")  # a pair has one turn each; the last is what the answer comes to
        return turns[-1] if turns else None

    def _turns(self, messages: Sequence[Message], lost: set[str]) -> list[dict[str, Any]]:
        return [turn for message in messages for turn in self._turn(message, lost)]

    def _turn(self, message: Message, lost: set[str]) -> list[dict[str, Any]]:
        """The turn of a message; two where it says something beside a call."""
        role, content = _KEYS[self.keys]
        for name in ("reasoning", "tool_call_id"):
            if getattr(message, name) is not None:
                lost.add(name)
        if message.notes and not message.notes.keys() <= {"fields"}:
            lost.add("part_borders")
        if message.role == "document":
            lost.add("role_document")
        spoken = SPEAKERS[self.speakers].get(
            "user" if message.role == "document" else message.role, message.role
        )
        turns: list[dict[str, Any]] = []
        if message.tool_calls is None or message.text:
            turns.append({role: spoken, content: message.text})
        if message.tool_calls is not None:
            calls = bare(message.tool_calls, lost)
            value = calls[0] if len(calls) == 1 else f"[{', '.join(calls)}]"
            turns.append({role: "function_call", content: value})
        if len(turns) > 1:
            lost.add("turn_boundaries")
        further = {
            name: value for name in ("name", "weight") if (value := getattr(message, name)) is not None
        }
        return [with_noted(turn | further, message, role) for turn in turns]


def _tag_of(record: Mapping[str, Any]) -> str | None:
    """The field that says whether the answer is wanted, where there is one."""
    return next((tag for tag in KTO_TAGS if isinstance(record.get(tag), bool)), None)


def _preference(prompt: list[Message], answers: Mapping[str, Any]) -> Draft:
    if len(answers) < 2:
        missing = "rejected" if "chosen" in answers else "chosen"
        raise Unreadable("missing_field", f"{missing} is missing; a preference needs chosen and rejected")
    chosen, rejected = (
        [read_turn(answers[name], name)]
        if isinstance(answers[name], dict)
        else read_turns(answers[name], name)
        if isinstance(answers[name], list)
        else [Message("assistant", text_of(answers[name], name))]
        for name in ("chosen", "rejected")
    )
    return preferred(prompt, chosen, rejected)
