"""GAN-BERT: utterances get the label that a discriminator of labels and fakes holds for likeliest."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from zhiling.adversarial.generators.feature_gan import FeatureGan, FeatureGanSettings
from zhiling.curation.cross_fitting import best_temperature, softmax
from zhiling.encoders.semi_supervised.seeds import Seeds, Vectors
from zhiling.errors import StepFailed
from zhiling.pipeline.step import Context
from zhiling.synthesis.few_sentences import LabelsUtterances
from zhiling.synthesis.label_confidence import Believed, folds_of

HOTTEST = 100.0
_SEEDS = 2**31


class GanBert(FeatureGanSettings, LabelsUtterances):
    """Gives utterances (task `utterance`) the labels of a few labelled sentences (task `classification`).

    A discriminator learns from the encoder's vectors which label a sentence has, and to tell real vectors,
    with a label or without, from fakes; a generator learns to make fakes that it takes for real ones. How
    probable it is that a label is right is told by the labelled sentences themselves: they are held out in
    turns, and a temperature is fitted to what a discriminator of the others says of them.

    An utterance whose label is probable enough becomes a labelled row, one for all copies of its text; the
    others pass by, as do those that say what a labelled sentence says. `extra` holds the `confidence`. All
    labels of a sentence together are one label here; sentences whose truth is that no label fits (`[]`)
    are a label like the others.
    """

    name = "gan_bert"
    cost: ClassVar[str] = (
        "an encoding a text, and six trainings in one thread: with the defaults and 384 columns about 40 s "
        "of a core, whatever the number of texts; the vectors are in memory"
    )
    limits: ClassVar[str] = (
        "The fakes do little: on CLINC150 and BANKING77, five rows a label, a student gained from the lines "
        "2.2 and 3.4 points, and without fakes (`fakes: false`, a fifth of the cost) 2.1 and 3.1 "
        "(adversarial.1m to 1p). The encoder stays as it is, where GAN-BERT tunes it along. A text of none "
        "of the labels gets one too: put something behind it that judges the label, or use "
        "`label_propagation`, which asks whether a text is of a known label at all. What is sure is also "
        "what a model finds easy. The probability is an estimate from held-out sentences: with fewer than "
        "some fifty of them it is rough. A label with one sentence is never held out. Labels may not mix "
        "sets: give one set of labels by `from`. Other processors may give other weights."
    )
    source: ClassVar[str] = (
        "Croce, Castellucci and Basili 2020, GAN-BERT; Salimans et al. 2016, Improved Techniques for "
        "Training GANs; Guo et al. 2017 (temperature)"
    )

    def believed(self, seeds: Seeds, vectors: Vectors, context: Context) -> Believed:
        """The class of each vector, and how probably it is right.

        n sentences that were held out prove no more than (n + 1) / (n + 2), even if all of them were right.

        Args:
            seeds: labelled vectors; at least one class has two.
            vectors: without a label, shape (m, width).
            context: of the step; draws the seeds of the networks.

        Raises:
            MissingExtra: torch is not installed.
            StepFailed: losses are no numbers any more, or the generator makes one fake of every noise.
        """
        folds = folds_of(seeds.numbers)
        held = np.flatnonzero(folds >= 0)
        outside = np.zeros((len(folds), seeds.classes))
        for fold in np.unique(folds[held]):
            own, rest = folds == fold, folds != fold
            others = Seeds(seeds.vectors[rest], seeds.numbers[rest], seeds.classes)
            outside[own] = self._scores(others, vectors, seeds.vectors[own], context, fold + 1)
        heat = best_temperature(outside[held], seeds.numbers[held], HOTTEST)
        chances = softmax(self._scores(seeds, vectors, vectors, context, 0) / heat)
        most = (len(held) + 1) / (len(held) + 2)
        return Believed(chances.argmax(axis=1), np.minimum(chances.max(axis=1), most))

    def _scores(
        self, seeds: Seeds, vectors: Vectors, asked: Vectors, context: Context, draw: int
    ) -> NDArray[np.float64]:
        """What a discriminator that learnt from `seeds` and `vectors` says of what is asked."""
        seed = int(context.generator(draw).integers(_SEEDS))
        try:
            gan = FeatureGan.fit(seeds, vectors, self, seed)
        except StepFailed as error:
            raise StepFailed(f"step {context.step_id!r}: {error.message}", hint=error.hint) from error
        return gan.scores(asked)
