"""Token sequences of like length in batches of bounded size, padded on the right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from zhiling.llm.pretrained import require

if TYPE_CHECKING:
    import torch

Ids = Sequence[int]


def batches(sequences: Sequence[Ids], most: int) -> Iterator[list[int]]:
    """Places of the sequences, the longest first, so that each batch has at most `most` tokens with padding.

    The longest come first, so that what does not fit into memory fails at once. A sequence that is longer
    than `most` has a batch of its own. Sequences are sorted by what they hold, so the same ones share the
    same batches whatever their order.
    """
    order = sorted(range(len(sequences)), key=lambda place: (-len(sequences[place]), *sequences[place]))
    batch: list[int] = []
    for place in order:
        if batch and (len(batch) + 1) * len(sequences[batch[0]]) > most:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def padded(sequences: Sequence[Ids], filler: int, device: torch.device | str) -> dict[str, torch.Tensor]:
    """`input_ids` and `attention_mask` of a batch, int64, shape (batch, longest); real tokens stand left."""
    torch = require("torch")
    longest = max(map(len, sequences))
    ids = torch.full((len(sequences), longest), filler, dtype=torch.int64)
    mask = torch.zeros((len(sequences), longest), dtype=torch.int64)
    for row, sequence in enumerate(sequences):
        ids[row, : len(sequence)] = torch.as_tensor(sequence)
        mask[row, : len(sequence)] = 1
    return {"input_ids": ids.to(device), "attention_mask": mask.to(device)}
