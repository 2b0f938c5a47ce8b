"""Texts as tokens: cut to what the encoder takes, or in overlapping windows with the words they hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, cast

import numpy as np
import torch

from zhiling.training.reading.features import Segments, Window, Word

OVERLAP = 4
"""Two windows of one text share this part (a fourth) of their tokens."""


def cut(tokenizer: Any, sequences: Sequence[Segments], max_tokens: int, *, words: bool) -> list[list[Window]]:
    """The windows of each sequence.

    Args:
        tokenizer: a fast tokenizer of transformers, where words are asked for.
        sequences: texts or pairs; all of one kind.
        max_tokens: the longest window, special tokens included.
        words: one window a sequence without words, cut at the end; or as many as it takes, with words. Of a
            pair only the second text is cut in windows.
    """
    if not sequences:
        return []
    pair = sequences[0].second is not None
    texts = [
        [each.first for each in sequences],
        *([[each.second or "" for each in sequences]] if pair else []),
    ]
    if not words:
        encoded = tokenizer(*texts, truncation=True, max_length=max_tokens, return_token_type_ids=True)
        kept = zip(encoded["input_ids"], encoded["token_type_ids"], strict=True)
        return [[Window(ids, types)] for ids, types in kept]
    encoded: Any = tokenizer(
        *texts, truncation="only_second" if pair else True, max_length=max_tokens,
        stride=max_tokens // OVERLAP, return_overflowing_tokens=True, return_offsets_mapping=True,
        return_token_type_ids=True,
    )  # fmt: skip
    found: list[list[Window]] = [[] for _ in sequences]
    for number, sequence in enumerate(cast(list[int], encoded["overflow_to_sample_mapping"])):
        ids, types = encoded["input_ids"][number], encoded["token_type_ids"][number]
        found[sequence].append(Window(ids, types, tuple(_words(encoded, number, sequences[sequence]))))
    return found


def count_longer(tokenizer: Any, sequences: Sequence[Segments], max_tokens: int) -> int:
    """How many sequences have more tokens than `max_tokens`, special tokens included."""
    specials = tokenizer.num_special_tokens_to_add(pair=True)
    bytes_ = [sum(len((text or "").encode()) for text in each) for each in sequences]
    candidates = [
        each for each, size in zip(sequences, bytes_, strict=True) if size + specials > max_tokens
    ]  # no tokenizer makes more tokens than there are bytes
    if not candidates:
        return 0
    texts = [[each.first for each in candidates]]
    if candidates[0].second is not None:
        texts.append([each.second or "" for each in candidates])
    return sum(len(ids) > max_tokens for ids in tokenizer(*texts, verbose=False)["input_ids"])


def _words(encoded: Any, number: int, texts: Segments) -> Iterator[Word]:
    """The words of one window: runs of tokens that the tokenizer says are one word."""
    inside, segments = encoded.word_ids(number), encoded.sequence_ids(number)
    offsets = encoded["offset_mapping"][number]
    places = [place for place, segment in enumerate(segments) if segment is not None]
    for (segment, _), run in groupby(places, key=lambda place: (segments[place], inside[place])):
        tokens = list(run)
        start, end = offsets[tokens[0]][0], offsets[tokens[-1]][1]
        if end > start:
            yield Word(tokens[0], start, end, segment, (texts[segment] or "")[start:end], len(tokens))


def pad(tokenizer: Any, windows: Sequence[Window]) -> dict[str, torch.Tensor]:
    """`input_ids`, `token_type_ids` and `attention_mask` of a batch, int64, shape (windows, longest)."""
    shape = (len(windows), max((len(window.ids) for window in windows), default=0))
    ids = np.full(shape, tokenizer.pad_token_id, dtype=np.int64)
    types, mask = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    for row, window in enumerate(windows):
        size = len(window.ids)
        ids[row, :size], types[row, :size], mask[row, :size] = window.ids, window.types, 1
    padded = {"input_ids": ids, "attention_mask": mask}
    if "token_type_ids" in tokenizer.model_input_names:
        padded["token_type_ids"] = types
    return {name: torch.from_numpy(values) for name, values in padded.items()}  # pyright: ignore[reportUnknownMemberType]
