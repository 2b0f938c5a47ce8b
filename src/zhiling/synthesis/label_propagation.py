"""Label propagation: labels of a few sentences spread over utterances that are like them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field

from zhiling.encoders.hashing import HashingEncoder
from zhiling.encoders.joined import mixed
from zhiling.encoders.semi_supervised.seeds import Seeds, Vectors
from zhiling.pipeline.step import Context
from zhiling.synthesis.few_sentences import LabelsUtterances
from zhiling.synthesis.label_confidence import Believed, believed

NGRAM_SHARE = 0.3
"""Weight of the n-grams beside the encoder. With them a student of 5 and 10 known rows a label has .893 and
.917 of CLINC150 right, without them .884 and .907; of BANKING77 .821 and .847, without .817 and .852 (dev
parts, 3 draws each): they help where labels differ in their words."""


class LabelPropagation(LabelsUtterances):
    """Gives utterances (task `utterance`) the labels of a few labelled sentences (task `classification`).

    Sentences and utterances are joined with their nearest ones by the encoder, and labels spread over this
    graph. How probable it is that a label is right is told by the labelled sentences themselves: they are
    held out in turns, and asked like an utterance. Where many more utterances are unsure than held-out
    sentences, the probability falls: these are of other labels than are known.

    An utterance whose label is probable enough becomes a labelled row, one for all copies of its text; the
    others pass by, as do those that say what a labelled sentence says. `extra` holds the `confidence`. All
    labels of a sentence together are one label here; sentences whose truth is that no label fits (`[]`)
    are a label like the others, and keep utterances like them away from the others.
    """

    name = "label_propagation"
    cost: ClassVar[str] = (
        "an encoding a text, and texts² · dimension operations: 4 s of a core for 10,000 texts, 11 s for "
        "20,000; 0.6 GB of memory at most beside vectors and labels"
    )
    limits: ClassVar[str] = (
        "As good as the encoder: of labels that share a cluster of texts one may take the other's. What is "
        "sure is also what a model finds easy. The probability is an estimate from held-out sentences: with "
        "fewer than some fifty of them it is rough; where most utterances are of unknown labels it is too "
        "high. A label with one sentence is never held out: its rows count as sure as those of others are. "
        "Labels may not mix sets: give one set of labels by `from`."
    )
    source: ClassVar[str] = (
        "Zhou et al. 2004, Learning with Local and Global Consistency; Zadrozny and Elkan 2002 (isotonic "
        "calibration); Elkan and Noto 2008 (texts of unknown labels)"
    )

    features: Literal["encoder", "both"] = Field(
        default="encoder", description="what texts are like by: the encoder, or character n-grams, too"
    )

    def vectors(self, texts: Sequence[str], context: Context) -> Vectors:
        """The encoder's, with n-grams beside them where that is asked for."""
        encoded = super().vectors(texts, context)
        return encoded if self.features == "encoder" else mixed(encoded, _NGRAMS.encode(texts), NGRAM_SHARE)

    def believed(self, seeds: Seeds, vectors: Vectors, context: Context) -> Believed:
        """What came of the labels that spread."""
        return believed(seeds, vectors)


_NGRAMS = HashingEncoder()
