"""A discriminator of k labels and one more for fakes, and a generator of fakes, trained against each other.

Both see vectors of texts, not texts: a generator of vectors passes gradients, which a generator of words
does not. What the discriminator learns from vectors without a label is where real ones lie.

    gan = FeatureGan.fit(Seeds(labelled, numbers, classes), unlabelled, FeatureGanSettings(), seed=0)
    gan.scores(vectors).argmax(axis=1)

All of it runs in one thread of the CPU.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Never

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from zhiling.adversarial.seeded import seeded_torch
from zhiling.encoders.semi_supervised.seeds import Seeds, Vectors
from zhiling.errors import StepFailed

_SLOPE = 0.2  # of the LeakyReLU, below 0
LEAST_SPREAD = 1e-3
"""See `FeatureGan.spread`: healthy ones lie between .03 and .9."""
_ASKED = 4096  # vectors that are scored at once


class FeatureGanSettings(BaseModel):
    """How large the two networks are, and how long they learn."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fakes: bool = Field(
        default=True,
        description="false: the same network from labelled rows alone, to see what the fakes are good for",
    )
    steps: int = Field(default=500, ge=1, le=1_000_000, description="steps of each of the two networks")
    batch_size: int = Field(
        default=64, ge=2, le=4096, description="of labelled, of other and of fake vectors"
    )
    hidden: int = Field(default=384, ge=8, le=8192, description="columns of the layer inside each network")
    noise: int = Field(default=100, ge=1, le=4096, description="columns of the noise that a fake is made of")
    dropout: float = Field(default=0.5, ge=0, lt=1, description="share of columns left out at each step")
    learning_rate: float = Field(default=1e-3, gt=0, le=0.1, description="of both networks (AdamW)")


@dataclass(frozen=True)
class FeatureGan:
    """The discriminator after training.

    With logits z over k labels and the fake one, of a real vector x and a fake G(noise), with f the layer
    inside the discriminator D:

        L_D = −ln p(label | x, not fake) − ln (1 − p(fake | x)) − ln p(fake | G(noise))
        L_G = −ln (1 − p(fake | G(noise))) + ‖mean f(x) − mean f(G(noise))‖² / (columns of f)

    Source: Croce, Castellucci and Basili 2020, GAN-BERT: Generative Adversarial Learning for Robust Text
    Classification with a Bunch of Labeled Examples, section 3; Salimans et al. 2016, Improved Techniques for
    Training GANs, section 5.
    Deviation: the encoder is not tuned along, and fakes are scaled to the length of real vectors, which
    would else give them away.

    Attributes:
        network: vectors to the scores of labels, and of fakes where there were some.
        classes: number of labels.
        spread: how far fakes lie apart, as a share of how far real vectors do (mean of their variances);
            0: the generator makes one fake of every noise. NaN without fakes or where real ones are equal.
    """

    network: Any
    classes: int
    spread: float

    @classmethod
    def fit(cls, seeds: Seeds, vectors: Vectors, settings: FeatureGanSettings, seed: int) -> FeatureGan:
        """Trains both networks.

        Args:
            seeds: the labelled vectors, of length 1.
            vectors: those without a label, shape (m, width). Time does not grow with their number.
            settings: sizes and steps.
            seed: of weights, noise, order and dropout.

        Raises:
            MissingExtra: torch is not installed.
            StepFailed: a loss is no longer a number, or the generator makes one fake of every noise.
        """
        with seeded_torch(seed) as torch:
            training = _Training(torch, seeds, vectors, settings)
            labelled, others = (
                _batches(count, settings, np.random.default_rng([seed, stream]))
                for stream, count in enumerate((len(seeds.numbers), len(vectors)))
            )
            for step, rows in enumerate(zip(labelled, others, strict=True)):
                losses = training.step(*rows)
                if not np.isfinite(losses).all():
                    _diverged(f"the losses of discriminator and generator are {losses} at step {step}")
            if not training.finite():
                _diverged("weights of the discriminator are no finite numbers after the last step")
            spread = training.spread()
        if spread < LEAST_SPREAD:
            raise StepFailed(
                f"the generator makes nearly one fake of every noise: their variance is {spread:.1e} of that "
                f"of real vectors, and {LEAST_SPREAD} is the least",
                hint="lower `learning_rate`, give it more `steps`, or leave it out (`fakes: false`)",
            )
        return cls(training.discriminator.eval(), seeds.classes, spread)

    def scores(self, vectors: Vectors) -> NDArray[np.float64]:
        """Logits of the labels, shape (n, classes): their softmax is p(label | not fake)."""
        with seeded_torch(0) as torch, torch.inference_mode():
            found = [np.empty((0, self.classes))]
            for start in range(0, len(vectors), _ASKED):
                told = self.network(_scaled(torch, vectors[start : start + _ASKED]))
                found.append(told[:, : self.classes].double().numpy())
        return np.concatenate(found)


class _Training:
    """Both networks and what they learn from."""

    def __init__(self, torch: Any, seeds: Seeds, vectors: Vectors, settings: FeatureGanSettings) -> None:
        self.torch, self.settings, self.classes = torch, settings, seeds.classes
        self.labelled, self.others = _scaled(torch, seeds.vectors), _scaled(torch, vectors)
        self.numbers = torch.as_tensor(seeds.numbers)
        width = seeds.vectors.shape[1]
        self.discriminator = self._network(width, seeds.classes + settings.fakes, settings.dropout)
        self.generator = self._network(settings.noise, width, 0.0)
        self.sides = [
            (each, torch.optim.AdamW(each.parameters(), lr=settings.learning_rate, fused=True))
            for each in (self.discriminator, self.generator)
        ]

    def _network(self, width: int, columns: int, dropout: float) -> Any:
        """A layer inside and a layer outside; `dropout` is of what it reads."""
        nn, settings = self.torch.nn, self.settings
        inside = [
            nn.Dropout(dropout), nn.Linear(width, settings.hidden), nn.LeakyReLU(_SLOPE),
            nn.Dropout(settings.dropout),
        ]  # fmt: skip
        return nn.Sequential(nn.Sequential(*inside), nn.Linear(settings.hidden, columns))

    def step(self, labelled: NDArray[np.int64], others: NDArray[np.int64]) -> tuple[float, ...]:
        """Both networks learn from these rows; the losses of the discriminator and of the generator."""
        cross_entropy = self.torch.nn.functional.cross_entropy
        rows, numbers = self.labelled[labelled], self.numbers[labelled]
        if not self.settings.fakes:
            loss = cross_entropy(self.discriminator(rows), numbers)
            self._learn(0, loss)
            return (float(loss.detach()),)
        real, fake = self.others[others], self.made(len(others))
        told = self.discriminator(self.torch.cat([rows, real, fake.detach()]))
        right = cross_entropy(told[: len(rows), : self.classes], numbers)
        of_real, of_fake = told[len(rows) : -len(fake)], told[-len(fake) :]
        loss = right - log_real(of_real).mean() - log_fake(of_fake).mean()
        self._learn(0, loss)
        inside = self.discriminator[0]
        seen = inside(fake)
        with self.torch.no_grad():
            wanted = inside(real).mean(dim=0)
        apart = (wanted - seen.mean(dim=0)).square().mean()
        fooling = apart - log_real(self.discriminator[1](seen)).mean()
        self._learn(1, fooling)
        return float(loss.detach()), float(fooling.detach())

    def _learn(self, which: int, loss: Any) -> None:
        """One of the networks moves; the other is passed through."""
        network, optimiser = self.sides[which]
        weights = list(network.parameters())
        for weight, slope in zip(weights, self.torch.autograd.grad(loss, weights), strict=True):
            weight.grad = slope
        optimiser.step()

    def made(self, count: int) -> Any:
        """Fakes, shape (count, width), each as long as a real vector."""
        made = self.generator(self.torch.randn(count, self.settings.noise))
        return self.torch.nn.functional.normalize(made, dim=1) * made.shape[1] ** 0.5

    def finite(self) -> bool:
        """Whether all weights of the discriminator are numbers."""
        return all(bool(self.torch.isfinite(each).all()) for each in self.discriminator.parameters())

    def spread(self) -> float:
        """See `FeatureGan`."""
        if not self.settings.fakes:
            return float("nan")
        self.generator.eval()
        with self.torch.inference_mode():
            real, made = (
                float(each.var(dim=0).mean())
                for each in (self.torch.cat([self.labelled, self.others[:_ASKED]]), self.made(_ASKED))
            )
        return made / real if real else float("nan")


def _diverged(told: str) -> Never:
    raise StepFailed(told, hint="lower `learning_rate`, or look whether the encoder gives finite vectors")


def log_fake(logits: Any) -> Any:
    """The logarithm of p(fake) of each row: the last of the classes."""
    return logits.log_softmax(dim=1)[:, -1]


def log_real(logits: Any) -> Any:
    """The logarithm of 1 - p(fake) of each row; finite where p(fake) rounds to 1."""
    return logits[:, :-1].logsumexp(dim=1) - logits.logsumexp(dim=1)


def _scaled(torch: Any, vectors: Vectors) -> Any:
    """Vectors whose coordinates have a mean square of 1."""
    return torch.as_tensor(vectors, dtype=torch.float32) * vectors.shape[1] ** 0.5


def _batches(
    rows: int, settings: FeatureGanSettings, draws: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    """Numbers of the rows of each step: all before any comes again."""
    size = min(settings.batch_size, rows)
    order = np.empty(0, dtype=np.int64)
    for _ in range(settings.steps):
        while len(order) < size:
            order = np.concatenate([order, draws.permutation(rows)])
        yield order[:size]
        order = order[size:]
