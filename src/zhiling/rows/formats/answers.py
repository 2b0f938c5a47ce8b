"""The answers to one prompt: a row's own reply and its alternatives, as preference and KTO files pair them.

A row's reply is the end of its messages: one message, unless `extra.reply_messages` says how many. Where a
record has a chosen and a rejected answer, the chosen one is the row's reply. A KTO record that is not wanted
has no reply: its answer is an alternative of kind `rejected`, so that nobody learns to say it.
"""

from __future__ import annotations

from collections.abc import Sequence

from zhiling.rows.formats.draft import REPLY_MESSAGES, Alternative, Draft, Message, Unreadable


def split(draft: Draft) -> tuple[list[Message], list[Message]]:
    """The prompt and the row's own reply (empty where it has none)."""
    count = draft.extra.get(REPLY_MESSAGES, _usual(draft.messages))
    count = count if isinstance(count, int) and 0 <= count <= len(draft.messages) else _usual(draft.messages)
    border = len(draft.messages) - count
    return draft.messages[:border], draft.messages[border:]


def joined(prompt: Sequence[Message], reply: Sequence[Message]) -> Draft:
    """A row of prompt and reply that remembers where the reply begins."""
    draft = Draft([*prompt, *reply])
    if len(reply) != _usual(draft.messages):
        draft.extra[REPLY_MESSAGES] = len(reply)
    return draft


def preferred(prompt: Sequence[Message], chosen: Sequence[Message], rejected: Sequence[Message]) -> Draft:
    """A row whose reply is the chosen answer.

    Raises:
        Unreadable: both answers are equal (`equal_answers`).
    """
    refuse_equal(chosen, rejected)
    draft = joined(prompt, chosen)
    draft.alternatives.append(Alternative(tuple(rejected), "rejected"))
    return draft


def refuse_equal(chosen: Sequence[Message], rejected: Sequence[Message]) -> None:
    """Raises Unreadable where two answers that should differ are the same."""
    if [_said(each) for each in chosen] == [_said(each) for each in rejected]:
        shown = chosen[-1].text if chosen else ""
        message = f"chosen and rejected are the same answer ({shown!r:.60}); a preference needs two"
        raise Unreadable("equal_answers", message)


def labelled(prompt: Sequence[Message], answer: Sequence[Message], wanted: bool) -> Draft:
    """A row of a KTO record: the answer is its reply if it is wanted, else a rejected alternative."""
    if wanted:
        return joined(prompt, answer)
    draft = joined(prompt, ())
    draft.alternatives.append(Alternative(tuple(answer), "rejected"))
    return draft


Pairs = tuple[list[Message], list[list[Message] | None], list[Message]]


def pairs(draft: Draft, lost: set[str], *, beside: bool = False) -> Pairs:
    """Prompt, rejected answers (at least one, None where the row has none), and the chosen answer.

    Args:
        draft: the row.
        lost: grows.
        beside: the pair stands beside the row's reply, so the chosen one is an alternative too.
    """
    prompt, reply = split(draft)
    chosen = [each for each in draft.alternatives if each.kind == "chosen"]
    rejected: list[list[Message] | None] = [
        list(each.messages) for each in draft.alternatives if each.kind != "chosen"
    ]
    _count(draft, lost)
    if any(each.kind == "ranked" for each in draft.alternatives):
        lost.add("rank")
    if len(chosen) > beside or (beside and draft.alternatives[0] is not chosen[0]):
        lost.add("alternatives")  # the chosen answer of a pair is read back as the row's reply
    if not reply and not chosen:
        lost.add("no_chosen")
    if not rejected:
        lost.add("no_rejected")
    if len(rejected) > 1:
        lost.add("grouping")  # the lines of one row are read back as rows of their own
    best = reply or (list(chosen[0].messages) if chosen else [])
    return prompt, rejected or [None], best


def verdicts(draft: Draft, lost: set[str]) -> tuple[list[Message], list[tuple[list[Message], bool | None]]]:
    """Prompt, and each answer with whether it is wanted; ranked answers are neither."""
    prompt, reply = split(draft)
    answers: list[tuple[list[Message], bool | None]] = [(reply, True)] if reply else []
    for each in draft.alternatives:
        if each.kind == "ranked":
            lost.add("alternatives")
        else:
            answers.append((list(each.messages), each.kind == "chosen"))
    _count(draft, lost)
    if not answers:
        lost.add("no_reply")
    if len(answers) > 1:
        lost.add("grouping")
    elif answers and draft.alternatives and not reply and answers[0][1]:
        lost.add("alternatives")  # it reads back as the row's own reply
    return prompt, answers or [([], None)]


def judged_alone(answer: Sequence[Message]) -> bool:
    """Whether an answer can be the last message of a list whose last message is judged."""
    return len(answer) == 1 and answer[0].role == "assistant"


def _count(draft: Draft, lost: set[str]) -> None:
    if any(each.score is not None for each in draft.alternatives):
        lost.add("score")


def _usual(messages: Sequence[Message]) -> int:
    return int(bool(messages) and messages[-1].role == "assistant")


def _said(message: Message) -> Message:
    return message._replace(notes=None, weight=None)
