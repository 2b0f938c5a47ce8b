"""The lines of a feedback file, version 1: what a service writes and the source `feedback` reads.

    question = Shown(role="user", text="Where is it?")
    event = FeedbackEvent(id="e1", time=now, conversation="c7", answer_id="c7#2", consent=True,
                          messages=(question,), answer="On its way.", verdict="up")
    stream.write(event.line())

`docs/reference/feedback.md` describes each field.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StrictBool, ValidationError, model_validator

from zhiling.sources.problem import Problem
from zhiling.sources.record_source import LANGUAGE_TAG

VERSION = 1
Name = Annotated[str, Field(min_length=1)]
UserKey = Annotated[str, Field(pattern=r"^[0-9a-f]{32,128}$")]
"""A keyed hash of who the user is, 32 to 128 hexadecimal digits: never a name, number or address."""


class Shown(BaseModel):
    """A message that the user or the model saw before the answer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Literal["system", "user", "assistant", "tool", "document"]
    text: str


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")

    version: Literal[1] = Field(default=VERSION, description="of this format")
    id: Name = Field(description="the event's own id; a second line with it is a copy")
    time: AwareDatetime = Field(description="when it happened: ISO 8601 with a zone")

    def line(self) -> bytes:
        """The event as one line of JSON, with its end; fields without value are left out."""
        return self.model_dump_json(exclude_none=True).encode() + b"\n"


class FeedbackEvent(_Line):
    """What a user said about one answer. The newest event about an answer counts."""

    conversation: Name = Field(description="the conversation's id")
    answer_id: Name = Field(description="the answer's id; a later event about it replaces this one")
    messages: tuple[Shown, ...] = Field(
        min_length=1,
        description="what was said before the answer, oldest first; the last is the user's or a tool's",
    )
    answer: Name = Field(description="the answer that was given")
    answered_by: Literal["model", "template"] = Field(
        default="model", description="what gave it: a model, or a template (a stored answer)"
    )
    model: str | None = Field(default=None, description="which model, or which template")
    run: str | None = Field(default=None, description="id of the run that the model comes from")
    verdict: Literal["up", "down"] | None = Field(
        default=None, description="thumb up or down; null: none was given"
    )
    edited: Name | None = Field(default=None, description="the answer as somebody corrected it")
    better: Name | None = Field(default=None, description="another answer that would have been better")
    reason: str | None = Field(default=None, description="why, in the user's words")
    user: UserKey | None = Field(
        default=None,
        description="keyed hash of the user, 32 to 128 hexadecimal digits; never a name or an address",
    )
    consent: StrictBool = Field(description="whether the user agreed that this is used for training")
    language: Annotated[str, Field(pattern=LANGUAGE_TAG)] | None = Field(
        default=None, description="of the conversation, a BCP-47 tag"
    )

    @model_validator(mode="after")
    def _can_be_learnt_from(self) -> Self:
        if self.messages[-1].role not in ("user", "tool"):
            raise ValueError(
                "the last of `messages` must be the user's or a tool's; the answer is not among them"
            )
        if not (self.verdict or self.edited or self.better):
            raise ValueError("one of `verdict`, `edited`, `better` is needed")
        return self

    @property
    def best(self) -> str | None:
        """The answer to learn: the better one, the edited one, or the given one if it got a thumb up."""
        return self.better or self.edited or (self.answer if self.verdict == "up" else None)


class Withdrawal(_Line):
    """Takes back one earlier event, or all earlier events of a user."""

    withdrawn: Name | None = Field(default=None, description="id of the event that is taken back")
    withdrawn_user: UserKey | None = Field(
        default=None, description="key of the user whose earlier events are all taken back"
    )

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if (self.withdrawn is None) == (self.withdrawn_user is None):
            raise ValueError("either `withdrawn` or `withdrawn_user` is needed")
        return self


def read_event(item: Mapping[str, Any]) -> FeedbackEvent | Withdrawal | Problem:
    """The event of one line; a problem names fields and what they need, never what somebody wrote."""
    version = item.get("version", VERSION)
    if version != VERSION:
        return Problem("unknown_version", f"version {version!r:.20} is not known; version {VERSION} is read")
    kind = Withdrawal if {"withdrawn", "withdrawn_user"} & item.keys() else FeedbackEvent
    try:
        return kind.model_validate(item)
    except ValidationError as error:
        problems = error.errors(include_input=False, include_url=False, include_context=False)
        told = [f"{'.'.join(map(str, each['loc'])) or 'event'}: {each['msg']}" for each in problems]
        return Problem("invalid_event", "; ".join(told))
