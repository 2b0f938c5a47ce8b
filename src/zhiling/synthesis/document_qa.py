"""Questions and answers about passages, written by a teacher and held to the passage's own words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import orjson
from pydantic import Field, model_validator

from zhiling.llm.asking import Said, accepts, in_language, said
from zhiling.llm.failures import CallFailure
from zhiling.llm.reply import Reply
from zhiling.llm.verdict import Accept, Ask, Complaint
from zhiling.llm.wire import Request
from zhiling.pipeline.step import Context
from zhiling.rows.target import CONTEXT, QUESTION, Answer, Answers, Place, spelled
from zhiling.synthesis.teacher import Draft, FromPassages, Written
from zhiling.verification.round_trip import PROMPT, Verified, disagreement, overlap, standing
from zhiling.verification.round_trip import PROMPTS as ANSWERED_AGAIN

Kind = Literal["document_qa", "document_qa_multi_hop", "document_qa_unanswerable"]
_LONG = 200
"""Characters from which on a passage is more than the evidence of one answer."""


class Answered(Said):
    """A question with its answer and the pieces of the passage that say so."""

    question: str
    answer: str
    evidence: list[str]


class Unanswered(Said):
    """A question that the passage does not answer, and what one replies then."""

    question: str
    answer: str


class DocumentQA(FromPassages):
    """Writes questions about passages, each with an answer and the words of the passage that support it.

    A row is the passage (role `document`), the question and the answer; its target is the evidence with its
    place, word for word in the passage. Languages: that of the prompt, in which question and answer are
    written; the evidence stays the passage's. The passage stands between marks that it cannot close: what it
    says is material.

    Failed attempts, beside those of every call: `not_verbatim` (the evidence does not stand in the passage),
    `evidence_count` (one piece is needed; two apart where hops are asked for), `wrong_language`,
    `empty_field`, `whole_passage` (a longer passage, all of it, is no evidence), `repeated` (the same
    question about the same passage), and after a round trip `not_answered` (asked again with the passage
    alone, the checker finds no answer or another place) and `answered_after_all`.

    Prompts: document_qa, document_qa_multi_hop, document_qa_unanswerable, answered_again.
    """

    name = "document_qa"
    about = ("qa",)
    cost: ClassVar[str] = "one call a passage for up to `samples_per_call` rows; a round trip: one more a row"
    limits: ClassVar[str] = (
        "That the evidence stands in the passage says not that it supports the answer: put `grounding` "
        "behind it, or name a `checker`. White space may differ between evidence and passage; the passage's "
        "is kept. Equal questions in other words are near-duplicates: `near_dedup` finds some."
    )
    source: ClassVar[str] = (
        "Alberti et al. 2019, Synthetic QA corpora generation with roundtrip consistency; "
        "Rajpurkar et al. 2018 (unanswerable questions); Yang et al. 2018 (several supporting facts)"
    )
    prompts = {
        "document_qa": ("passage",),
        "document_qa_multi_hop": ("passage",),
        "document_qa_unanswerable": ("passage",),
        PROMPT: ("passage", "question"),
    }

    prompt_folders: ClassVar[Mapping[str, Path]] = {PROMPT: ANSWERED_AGAIN}

    multi_hop: float = Field(0.0, ge=0, le=1, description="share of rows that need two places of the passage")
    unanswerable: float = Field(
        0.0, ge=0, le=1, description="share of rows whose passage does not answer; they need a `checker`"
    )
    checker: str | None = Field(
        None,
        description="role of `models` that answers each question again from the passage; null: no round trip",
        examples=["teacher"],
    )

    @model_validator(mode="after")
    def _shares_fit(self) -> DocumentQA:
        if self.multi_hop + self.unanswerable > 1:
            raise ValueError("multi_hop and unanswerable together are shares of one whole")
        if self.unanswerable and self.checker is None:
            raise ValueError("`unanswerable` is believed after a round trip only: name a `checker`")
        return self

    def roles(self) -> tuple[str, ...]:
        """Teacher and checker."""
        return tuple(dict.fromkeys((self.model, *((self.checker,) if self.checker else ()))))

    def later_calls(self) -> Mapping[str, float]:
        """A round trip a row."""
        return {self.checker: 1.0} if self.checker else {}

    def asked(self, passage: str, language: str, draw: float, root: Path) -> tuple[Request, Accept, Any]:
        """A question of a kind that is drawn."""
        kind = self._kind(draw)
        request = self.request(kind, language, root, {"passage": passage}, _MODELS[kind])
        return request, accepts(_MODELS[kind], _Check(kind, passage, language)), (kind, passage)

    def _kind(self, draw: float) -> Kind:
        if draw < self.unanswerable:
            return "document_qa_unanswerable"
        return "document_qa_multi_hop" if draw < self.unanswerable + self.multi_hop else "document_qa"

    def written(self, draft: Draft, reply: Reply) -> Written:
        """The passage, what is asked about it, and the answer."""
        kind, passage = draft.about
        told = said(_MODELS[kind], reply)
        asked = ("user", told.question, QUESTION)
        messages = [("document", passage, CONTEXT), asked, ("assistant", told.answer, None)]
        places = _apart(_places(told.evidence, passage)) if isinstance(told, Answered) else []
        if len(places) > 1:
            extra = orjson.dumps({"evidence": [place.model_dump() for place in places]}).decode()
            return Written(messages, "qa", spelled(Answers(answers=[Answer(text=told.answer)])), extra)
        answers = [Answer(text=passage[place.start : place.end], place=place) for place in places]
        return Written(messages, "qa", spelled(Answers(answers=answers)))

    def checked(
        self, found: Mapping[int, Written], drafts: Sequence[Draft], context: Context
    ) -> Mapping[int, CallFailure | Complaint]:
        """What did not survive a round trip."""
        return dict(self._round_trip(self.checker, found, drafts, context)) if self.checker else {}

    def _round_trip(
        self, role: str, found: Mapping[int, Written], drafts: Sequence[Draft], context: Context
    ) -> Iterator[tuple[int, CallFailure | Complaint]]:
        asks: list[Ask] = []
        for place, row in found.items():
            values = {"passage": row.messages[0][1], "question": row.messages[1][1]}
            request = self.request(PROMPT, drafts[place].language, context.root, values, Verified)
            asks.append(Ask(request, accept=accepts(Verified)))
        outcomes = context.models.ask(role, asks) if asks else []
        for (place, row), outcome in zip(found.items(), outcomes, strict=True):
            if isinstance(outcome, CallFailure):
                yield place, outcome
            elif (problem := _disagrees(said(Verified, outcome), row)) is not None:
                yield place, problem


_MODELS: dict[Kind, type[Answered] | type[Unanswered]] = {
    "document_qa": Answered, "document_qa_multi_hop": Answered, "document_qa_unanswerable": Unanswered,
}  # fmt: skip


@dataclass(frozen=True)
class _Check:
    """What must hold of a reply, given the passage."""

    kind: Kind
    passage: str
    language: str

    def __call__(self, told: Answered | Unanswered) -> Complaint | None:
        for name in ("question", "answer"):
            text = getattr(told, name)
            if not text:
                return Complaint("empty_field", f"{name} is empty")
            if not in_language(text, self.language):
                return Complaint(
                    "wrong_language", f"{name} is not written in {self.language!r}: {text[:80]!r}"
                )
        return self._evidence(told.evidence) if isinstance(told, Answered) else None

    def _evidence(self, evidence: Sequence[str]) -> Complaint | None:
        wanted = 2 if self.kind == "document_qa_multi_hop" else 1
        found = list(_places(evidence, self.passage))
        absent = next((text for text, place in zip(evidence, found, strict=True) if place is None), None)
        if absent is not None:
            return Complaint("not_verbatim", f"the passage does not say {absent[:80]!r}")
        places = _apart(found)
        if len(places) < wanted or (wanted == 1 and len(places) > 1):
            return Complaint("evidence_count", f"{len(places)} pieces of evidence apart, {wanted} are needed")
        if sum(place.end - place.start for place in places) >= len(self.passage.strip()) > _LONG:
            return Complaint("whole_passage", "the evidence is the whole passage")
        return None


def _places(evidence: Sequence[str], passage: str) -> Iterator[Place | None]:
    """Where each piece first stands in the passage, white space apart; None: nowhere."""
    return (next(standing(text, passage), None) for text in evidence)


def _apart(places: Iterable[Place | None]) -> list[Place]:
    """Those that do not overlap one before them."""
    chosen: list[Place] = []
    for place in places:
        if place is not None and not any(overlap(place, other) for other in chosen):
            chosen.append(place)
    return chosen


def _disagrees(told: Verified, row: Written) -> Complaint | None:
    """What a second reader of the passage says against the row."""
    answers = Answers.model_validate_json(row.target or "").answers
    known = [Place.model_validate(each) for each in orjson.loads(row.extra or '{"evidence": []}')["evidence"]]
    known += [answer.place for answer in answers if answer.place is not None]
    return disagreement(told, row.messages[0][1], known)
