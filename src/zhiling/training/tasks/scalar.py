"""A head of one number on a transformer: the higher, the better a text is, or fits its prompt.

An example is a prompt, which may be empty, and options named `choice` of which one is right; both losses
learn from the same examples. Other rooms train by them, and name them as `module:object`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import torch

from zhiling.training.inputs import Input, asked_text, options_of
from zhiling.training.reading.features import Segments
from zhiling.training.tasks.choice import Choice

if TYPE_CHECKING:
    from zhiling.training.model import TaskModel

BATCH = 32


class BradleyTerry(Choice):
    """The right option is to have a higher number than a wrong one: L = −ln σ(s⁺ − s⁻), in nats.

    Anchor: ln 2 where both numbers are equal. A number says nothing by itself, only beside another one.

    Source: Bradley and Terry 1952, Rank Analysis of Incomplete Block Designs; Ouyang et al. 2022, Training
    language models to follow instructions with human feedback, equation 1.
    """

    name: ClassVar[str] = "bradley_terry"

    def segments(self, turns: Input) -> list[Segments]:
        """Each option behind the prompt, or alone where there is none."""
        asked = asked_text(turns)
        return [Segments(asked, option) if asked else Segments(option) for option in options_of(turns)]


class CrossEntropy(BradleyTerry):
    """Each option is judged alone: L = −(ln σ(s⁺) + ln σ(−s⁻)) / 2, in nats; the number is a log-odds.

    Anchor: ln 2 where both numbers are 0.
    """

    name: ClassVar[str] = "cross_entropy"

    def loss(self, outputs: torch.Tensor, truths: Sequence[int]) -> torch.Tensor:
        """The mean over all options of a batch."""
        right = torch.nn.functional.one_hot(torch.tensor(truths), outputs.shape[1]).to(outputs.dtype)
        told = outputs.isfinite()  # else: an example has fewer options than another one
        return torch.nn.functional.binary_cross_entropy_with_logits(outputs[told], right[told])


def numbers(model: TaskModel, inputs: Sequence[Input]) -> torch.Tensor:
    """The number of each input, which has one option: float64, shape (n,)."""
    prepared = model.prepare(inputs)
    lengths = prepared.lengths()
    order = sorted(range(len(inputs)), key=lengths.__getitem__)
    found = torch.zeros(len(inputs), dtype=torch.float64)
    model.eval()
    with torch.inference_mode():
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            found[rows] = model(prepared.take(rows))[:, 0].double()
    return found
