"""Alpaca as JSON Lines: `instruction, input, output, system, history` (earlier turns as pairs).

Further forms are LLaMA-Factory's: a list of outputs, best first; `chosen` and `rejected`; `kto_tag`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from zhiling.rows.formats.answers import labelled, pairs, refuse_equal, split, verdicts
from zhiling.rows.formats.checks import flag_of, list_of, text_of, wrong_type
from zhiling.rows.formats.draft import INPUT_LINES, Alternative, Draft, Message, Unreadable, count_beside
from zhiling.rows.formats.json_lines import JsonLines, info_entry, understood

_ANSWERS = ("output", "chosen", "rejected")


class Alpaca(JsonLines):
    """One line a row; the user's last turn is the instruction, and `input` what was read as such."""

    name: ClassVar[str] = "alpaca"
    OWN = frozenset({"instruction", "input", "output", "system", "history", "chosen", "rejected", "kto_tag"})

    form: Literal["sft", "ranked", "preference", "kto"] = Field(
        default="sft",
        description="`ranked`: output is a list, best first; `preference`: chosen and rejected, a line for "
        "each rejected answer; `kto`: kto_tag, a line for each answer",
    )

    def holds(self) -> frozenset[str]:
        """See `JsonLines.holds`."""
        held = {"media", "tools", "input_border"}
        return frozenset(held if self.form == "sft" else held | {"alternatives"})

    def claim(self, fields: Mapping[str, type]) -> int:
        """It is one with an instruction and an answer, or with nothing but what Alpaca has."""
        own = self.own_fields()
        answered = any(name in fields for name in _ANSWERS)
        if fields.get("instruction") is not str or not (answered or own | {"id"} >= set(fields)):
            return 0
        return understood(fields, own)

    def read(self, record: Mapping[str, Any]) -> Draft:
        """The row of a record."""
        prompt, lines = _prompt(record)
        chosen, rejected = record.get("chosen"), record.get("rejected")
        output = record.get("output")
        if record.get("kto_tag") is not None:
            wanted = flag_of(record["kto_tag"], "kto_tag")
            draft = labelled(prompt, [Message("assistant", text_of(output, "output"))], wanted)
        elif chosen is not None or rejected is not None:
            draft = _preference(prompt, output, chosen, rejected)
        elif isinstance(output, list):
            draft = _ranked(prompt, list_of(output, "output"))
        else:
            reply = [] if output is None else [Message("assistant", text_of(output, "output"))]
            draft = Draft([*prompt, *reply])
        if lines:
            draft.extra[INPUT_LINES] = lines
        return draft

    def notation(self, record: Mapping[str, Any]) -> Self:
        """The form of this record."""
        form = "ranked" if isinstance(record.get("output"), list) else "sft"
        if record.get("kto_tag") is not None:
            form = "kto"
        elif record.get("chosen") is not None or record.get("rejected") is not None:
            form = "preference"
        return self.model_copy(update={"form": form})

    def dataset_info(self, file_name: str, fields: Collection[str] = ()) -> dict[str, Any] | None:
        """An entry of formatting `alpaca`; LLaMA-Factory reads no ranked lists."""
        if self.form == "ranked":
            return None
        columns = {"prompt": "instruction", "query": "input", "system": "system", "history": "history"}
        answers = (
            {"chosen": "chosen", "rejected": "rejected"}
            if self.form == "preference"
            else {"response": "output"}
        )
        if self.form == "kto":
            answers["kto_tag"] = "kto_tag"
        more = {"ranking": True} if self.form == "preference" else {}
        return info_entry(file_name, columns | answers | {name: name for name in sorted(fields)}, **more)

    def records(self, draft: Draft, lost: set[str]) -> list[dict[str, Any]]:
        """The records of one row; see `JsonLines.records`."""
        lines = draft.extra.get(INPUT_LINES, 0)
        if self.form == "sft":
            return [_record(draft.messages, lines, lost)]
        if self.form == "ranked":
            return [_ranked_record(draft, lines, lost)]
        if self.form == "kto":
            prompt, answers = verdicts(draft, lost)
            return [
                {**_record([*prompt, *_one(answer, lost)], lines, lost), "kto_tag": wanted}
                for answer, wanted in answers
            ]
        return _preference_records(draft, lines, lost)


def _prompt(record: Mapping[str, Any]) -> tuple[list[Message], int]:
    """System text, earlier turns and the question; and how many of its lines are the input."""
    system = text_of(record.get("system"), "system")
    messages = [Message("system", system)] if system else []
    for pair in list_of(record.get("history") or None, "history"):
        turns = list_of(pair, "a pair of history")
        if len(turns) != 2:
            raise wrong_type("a pair of history", pair, "a list of question and reply")
        messages += [
            Message("user", text_of(turns[0], "history")), Message("assistant", text_of(turns[1], "history"))
        ]  # fmt: skip
    instruction, given = (
        text_of(record.get("instruction"), "instruction"),
        text_of(record.get("input"), "input"),
    )
    text = f"{instruction}\n{given}" if instruction and given else instruction or given
    return [*messages, Message("user", text)], given.count("\n") + 1 if given else 0


def _preference(prompt: list[Message], output: Any, chosen: Any, rejected: Any) -> Draft:
    """Chosen is the row's reply, unless the record has an output of its own beside it."""
    good, poor = (
        [] if value is None else [Message("assistant", text_of(value, name))]
        for name, value in (("chosen", chosen), ("rejected", rejected))
    )
    if not good or not poor:
        missing = "rejected" if good else "chosen"
        raise Unreadable("missing_field", f"{missing} is missing; a preference needs chosen and rejected")
    refuse_equal(good, poor)
    own = text_of(output, "output")
    draft = Draft([*prompt, *([Message("assistant", own)] if own else good)])
    if own:
        draft.alternatives.append(Alternative(tuple(good), "chosen"))
    draft.alternatives.append(Alternative(tuple(poor), "rejected"))
    return draft


def _ranked(prompt: list[Message], outputs: list[Any]) -> Draft:
    answers = [Message("assistant", text_of(each, "output")) for each in outputs]
    if len(answers) > 1 and len({each.text for each in answers}) == 1:
        refuse_equal(answers[:1], answers[1:2])
    further = [Alternative((each,), "ranked", rank) for rank, each in enumerate(answers[1:], 2)]
    return Draft([*prompt, *answers[:1]], further)


def _ranked_record(draft: Draft, lines: int, lost: set[str]) -> dict[str, Any]:
    record = _record(draft.messages, lines, lost)
    ordered = sorted(draft.alternatives, key=lambda each: each.rank or 0)
    if ordered != draft.alternatives or any(each.kind != "ranked" for each in ordered):
        lost.add("alternatives")
    elif [each.rank for each in ordered] != list(range(2, len(ordered) + 2)):
        lost.add("rank")
    if any(each.score is not None for each in ordered):
        lost.add("score")
    texts = [_text(each.messages, lost) for each in ordered if each.kind == "ranked"]
    own = [record["output"]] if split(draft)[1] else []
    return {**record, "output": [*own, *texts]}


def _preference_records(draft: Draft, lines: int, lost: set[str]) -> list[dict[str, Any]]:
    prompt, reply = split(draft)
    bent: set[str] = set()
    record = _record([*prompt, *reply], lines, bent)
    lost |= bent - {"no_reply"}  # `pairs` counts what is missing
    chosen = [each for each in draft.alternatives if each.kind == "chosen"]
    own = bool(reply and chosen and record["output"])  # an output beside the pair
    trimmed = Draft(prompt, draft.alternatives)
    _, rejected, best = pairs(trimmed if own else draft, lost, beside=own)
    answer = _text(best, lost) if best else None
    head = {**record, "output": record["output"] if own else ""}
    return [{**head, "chosen": answer, "rejected": _text(poor, lost) if poor else None} for poor in rejected]


def _one(answer: Sequence[Message], lost: set[str]) -> list[Message]:
    return [Message("assistant", _text(answer, lost))] if answer else []


def _text(answer: Sequence[Message], lost: set[str]) -> str:
    """An answer as one text."""
    if any(each.role != "assistant" for each in answer) or len(answer) > 1:
        lost.add("turn_boundaries")
    count_beside(answer, lost)
    return "\n".join(each.text or "" for each in answer)


def _record(messages: Sequence[Message], lines: int, lost: set[str]) -> dict[str, Any]:
    """One line: the leading system text, pairs of earlier turns, the last question and its reply."""
    start = 0
    while start < len(messages) and messages[start].role == "system":
        start += 1
    found = _pairs(messages[start:], lost)
    question, output = found.pop() if found else ("", None)
    if output is None:
        lost.add("no_reply")
    if start > 1:
        lost.add("system_boundaries")
    count_beside(messages, lost)
    instruction, given = _split_input(question, lines)
    return {
        "instruction": instruction,
        "input": given,
        "output": output or "",
        "system": "\n".join(message.text or "" for message in messages[:start]),
        "history": [[asked, replied or ""] for asked, replied in found],
    }


def _split_input(question: str, lines: int) -> tuple[str, str]:
    """Instruction and input of a question whose last `lines` lines are the input."""
    if lines <= 0:
        return question, ""
    pieces = question.split("\n")
    if lines > len(pieces):  # the text was shortened since
        return question, ""
    return "\n".join(pieces[:-lines]), "\n".join(pieces[-lines:])


def _pairs(messages: Sequence[Message], lost: set[str]) -> list[tuple[str, str | None]]:
    """Question and reply, again and again; neighbours of one role are joined by a line break."""
    found: list[tuple[str, str | None]] = []
    for message in messages:
        role, text = message.role, message.text or ""
        if role == "system":
            lost.add("system_in_middle")
        elif role not in ("user", "assistant"):
            lost.add(f"role_{role}")
        elif role == "user" and (not found or found[-1][1] is not None):
            found.append((text, None))
        elif role == "assistant" and not found:
            lost.add("leading_reply")  # it reads back as an answer to an empty question
            found.append(("", text))
        elif role == "assistant" and found[-1][1] is None:
            found[-1] = (found[-1][0], text)
        else:
            lost.add("turn_boundaries")
            asked, replied = found[-1]
            found[-1] = (f"{asked}\n{text}", None) if replied is None else (asked, f"{replied}\n{text}")
    return found
