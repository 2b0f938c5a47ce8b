"""Rows of conversations: which replies answer a customer, with all earlier turns as their context.

Works on whole columns: a row is a range of turns, so contexts are gathered by index, not copied by hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

Each = Literal["reply", "conversation", "first"]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Turns:
    """Merged turns of all conversations; C conversations, T turns, M messages.

    Attributes:
        frame: T lines with `role` and `text`; neighbouring messages of one role are one turn, but each
            system message stays one.
        conversation: (T,) number of the conversation, from 0.
        first: (T,) index of the turn's first message in the frame of messages.
        last: (T,) index of its last message.
        ordinal: (T,) place of the first message in its conversation, from 1.
    """

    frame: pl.DataFrame
    conversation: Ints
    first: Ints
    last: Ints
    ordinal: Ints


@dataclass(frozen=True)
class Rows:
    """R rows as ranges of turns.

    Attributes:
        start: (R,) the first turn.
        end: (R,) the last turn, inclusive.
        question: (R,) the customer's turn that the row is about.
        answered: (R,) whether the row ends in a reply.
        since: (R,) the first turn that no row before it ends with or has passed.
    """

    start: Ints
    end: Ints
    question: Ints
    answered: NDArray[np.bool_]
    since: Ints

    def part(self, start: int, stop: int) -> Rows:
        """The rows from `start` up to `stop`."""
        cut = slice(start, stop)
        return Rows(self.start[cut], self.end[cut], self.question[cut], self.answered[cut], self.since[cut])


def merge(messages: pl.DataFrame) -> Turns:
    """Turns from messages that are sorted by conversation and time (`conversation, role, text`)."""
    new_conversation = _changes(messages["conversation"])
    opens = new_conversation | _changes(messages["role"]) | (messages["role"] == "system").to_numpy()
    first = np.flatnonzero(opens).astype(np.int64)
    last = np.append(first[1:], messages.height).astype(np.int64) - 1
    turn = np.cumsum(opens) - 1
    frame = (
        messages.select(pl.Series("turn", turn), "role", "text")
        .group_by("turn", maintain_order=True)
        .agg(pl.col("role").first(), pl.col("text").str.join("\n"))
    )
    starts = np.flatnonzero(new_conversation).astype(np.int64)
    conversation = (np.cumsum(new_conversation) - 1)[first].astype(np.int64)
    return Turns(frame.drop("turn"), conversation, first, last, first - starts[conversation] + 1)


def rows_of(turns: Turns, each: Each, context: int) -> Rows:
    """The rows of these turns, in the order of the conversations.

    `context` is how many turns before the reply a row has at most; the question is always among them.

    A reply is an agent's turn with a customer's turn before it in its conversation. A customer's turn
    behind the last reply is a row without reply; with `first` only where there is no reply at all.
    """
    role = turns.frame["role"].to_numpy()
    index = np.arange(len(role), dtype=np.int64)
    start = np.searchsorted(turns.conversation, turns.conversation).astype(np.int64)
    asked = np.maximum.accumulate(np.where(role == "user", index, -1)) if len(role) else index
    reply = (role == "assistant") & (asked >= start)
    replies = index[reply]
    of = turns.conversation[replies]
    final = np.full(int(turns.conversation.max(initial=-1)) + 1, -1, dtype=np.int64)
    final[of] = replies  # the last one written wins: replies are in order
    waiting = (role == "user") & (index > final[turns.conversation])
    if each == "first":
        waiting &= final[turns.conversation] < 0
        replies = replies[np.unique(of, return_index=True)[1]]
    elif each == "conversation":
        replies = final[final >= 0]
    open_questions = index[waiting]
    opening = start
    if each != "conversation":
        start = np.minimum(np.maximum(start, index - context), np.maximum(asked, start))
    ends = np.concatenate([replies, open_questions])
    order = np.argsort(ends, kind="stable")
    before = np.append(-1, ends[order][:-1])
    return Rows(
        start=np.concatenate([start[replies], open_questions])[order],
        end=ends[order],
        question=np.concatenate([asked[replies], open_questions])[order],
        answered=(np.arange(len(ends)) < len(replies))[order],
        since=np.maximum(opening[ends[order]], before[: len(ends)] + 1),
    )


def ranges(start: Ints, end: Ints) -> tuple[Ints, Ints]:
    """All numbers of the inclusive ranges one behind the other, and each range's length."""
    lengths = end - start + 1
    offsets = np.cumsum(lengths) - lengths
    return np.repeat(start - offsets, lengths) + np.arange(lengths.sum(), dtype=np.int64), lengths


def _changes(column: pl.Series) -> NDArray[np.bool_]:
    """True where a value differs from the one before it; the first is true."""
    return (column != column.shift(1)).fill_null(True).to_numpy()
