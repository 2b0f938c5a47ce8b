"""A round in figures: everything that the guards know of it, as JSON and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from zhiling.adversarial.guards.copies import Copied
from zhiling.adversarial.guards.figures import FIGURES, Fraction, Share
from zhiling.adversarial.guards.judge import Judged
from zhiling.adversarial.guards.probes import Probes
from zhiling.adversarial.guards.shift import Lengths, Shift
from zhiling.adversarial.guards.spread import Spread
from zhiling.adversarial.guards.usefulness import Gain
from zhiling.errors import DamagedFile

Count = Annotated[int, Field(ge=0)]
LogProbability = Annotated[float, Field(le=0)]
Cause = Literal["away", "refused", "budget"]
"""Why a generator can't write any more: its model does not answer, it refuses, no call fits the budget."""


@dataclass(frozen=True, config=FIGURES)
class Offers:
    """What one generator offered in a round.

    Attributes:
        proposed: rows that it wrote, probes aside.
        accepted: how many of them were accepted.
        auc: of the discriminator that tells its rows from real ones, out of fold; None: not measured.
        features: what the discriminator goes by, in words, strongest first.
    """

    proposed: Count
    accepted: Count
    auc: Fraction | None = None
    features: tuple[str, ...] = ()

    @property
    def share(self) -> Share | None:
        """The accepted share; None where nothing was proposed."""
        return Share(self.accepted, self.proposed) if self.proposed else None


@dataclass(frozen=True, config=FIGURES)
class Round:
    """One round. What is None was not measured: too few rows, no probes, no vectors.

    Attributes:
        number: from 1.
        accepted: rows that the round added.
        utility: score of the student of anchors and all accepted rows so far, on real dev rows, 0 to 1.
        anchors: the same of the student of the anchors alone; equal in all rounds.
        gain: of this student over that of `rules.last_forward`.
        generators: name → what it offered.
        judged: a fresh judge.
        copied: copies among the accepted rows.
        spread: diversity of the accepted rows.
        labels: how far their labels are from those of real rows.
        topics: how far their topics are.
        lengths: how long they are.
        probes: error rates of acceptance.
        budget_left: share of the budget that is left; None: no budget was set.
        likelihood: mean log probability, in nats, that this student gives the labels of the dev rows; it
            tells students apart that have as many of few rows right. None: no such rows.
        anchors_likelihood: the same of the anchors' student.
        written: how many of the accepted rows so far no real line says word for word; None: not told.
        known: real rows that the discriminators learn from; None: not told.
        gone: generators that could not write in this round, and why.
        writing: how many generators can go on; None: not told.
    """

    number: Annotated[int, Field(ge=1)]
    accepted: Count
    utility: Fraction
    anchors: Fraction
    gain: Gain | None = None
    generators: Mapping[str, Offers] = field(default_factory=dict[str, Offers])
    judged: Judged | None = None
    copied: Copied | None = None
    spread: Spread | None = None
    labels: Shift | None = None
    topics: Shift | None = None
    lengths: Lengths | None = None
    probes: Probes | None = None
    budget_left: Fraction | None = None
    likelihood: LogProbability | None = None
    anchors_likelihood: LogProbability | None = None
    written: Count | None = None
    known: Count | None = None
    gone: Mapping[str, Cause] = field(default_factory=dict[str, Cause])
    writing: Count | None = None

    @property
    def missing(self) -> tuple[str, ...]:
        """Figures of the guards that were not measured in this round."""
        guarded = ("gain", "judged", "copied", "spread", "labels", "topics", "lengths", "probes")
        return tuple(name for name in guarded if getattr(self, name) is None)

    def as_json(self) -> str:
        """One line of JSON; `from_json` gives an equal round."""
        return _ROUND.dump_json(self).decode()

    @classmethod
    def from_json(cls, text: str, place: str = "round") -> Round:
        """The round of a JSON object that `as_json` wrote.

        Args:
            text: the object.
            place: where it stood, for errors.

        Raises:
            DamagedFile: it is no such object.
        """
        try:
            return _ROUND.validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the whole"
            raise DamagedFile(
                f"no round: {where}: {first['msg']}",
                place=place,
                hint="run the round again",
            ) from error


_ROUND = TypeAdapter(Round)
