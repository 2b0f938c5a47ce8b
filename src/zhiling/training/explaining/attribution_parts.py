"""What a model reads of one text as numbers that a path runs through: token embeddings, n-gram weights."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, cast

import torch
from torch import nn
from torch.nn.functional import normalize

from zhiling.encoders.local_model import LocalModel, pool
from zhiling.encoders.ngrams import ngrams_by_bucket
from zhiling.errors import UsageError
from zhiling.training.reading.backbones import FrozenEncoder, TunedEncoder
from zhiling.training.reading.features import JoinedFeatures, Segments, Word
from zhiling.training.reading.ngram_features import NgramFeatures, NgramInputs
from zhiling.training.reading.windows import count_longer
from zhiling.training.tensors import as_list

PAIR_SIDES = ("both: ", "first: ", "second: ")
"""Where an n-gram of a pair stands."""
OVERLAP = "overlap of the two texts"


class Reading(ABC):
    """One part's numbers for one text, and the way from such numbers to the part's vector."""

    given: torch.Tensor
    """The numbers of the text, shape (1, …)."""
    baseline: torch.Tensor
    """The numbers of no text, of the same shape."""

    @abstractmethod
    def vectors(self, values: torch.Tensor) -> torch.Tensor:
        """The vectors of any such numbers: (points, …) → (points, width)."""


@dataclass(frozen=True)
class _Tokens:
    """The tokens of one run of the encoder.

    Attributes:
        special: whether each token stands for no word.
        words: each word with the numbers of its tokens.
        cut: whether the text goes on behind the last token.
    """

    ids: tuple[int, ...]
    types: tuple[int, ...]
    special: tuple[bool, ...]
    words: tuple[tuple[Word, tuple[int, ...]], ...]
    cut: bool


def tokens_of(tokenizer: Any, texts: Segments, max_tokens: int) -> _Tokens:
    """The tokens of a text or a pair, as `windows.cut` cuts them where no words are asked for."""
    given = [texts.first] if texts.second is None else [texts.first, texts.second]
    encoded: Any = tokenizer(
        *given,
        truncation=True,
        max_length=max_tokens,
        return_token_type_ids=True,
        return_offsets_mapping=True,
    )
    inside, segments = encoded.word_ids(0), encoded.sequence_ids(0)
    offsets: Sequence[tuple[int, int]] = encoded["offset_mapping"]
    words: list[tuple[Word, tuple[int, ...]]] = []
    places = [place for place, segment in enumerate(segments) if segment is not None]
    for (segment, _), run in groupby(places, key=lambda place: (segments[place], inside[place])):
        tokens = tuple(run)
        start, end = offsets[tokens[0]][0], offsets[tokens[-1]][1]
        words.append((Word(tokens[0], start, end, segment, given[segment][start:end]), tokens))
    longer = count_longer(tokenizer, [texts], max_tokens) > 0
    return _Tokens(
        tuple(encoded["input_ids"]), tuple(encoded["token_type_ids"]),
        tuple(segment is None for segment in segments), tuple(words), longer,
    )  # fmt: skip


class TokenReading(Reading):
    """The embeddings of an encoder's tokens; a frozen encoder reads the two texts of a pair one by one."""

    def __init__(
        self,
        model: LocalModel,
        network: nn.Module,
        runs: Sequence[_Tokens],
        *,
        types: bool = False,
        opened: bool = False,
    ) -> None:
        self.model, self.network, self.runs = model, network, runs
        self.types, self.opened = types, opened
        table = cast(Any, network).get_input_embeddings()
        pad: int = model.tokenizer.pad_token_id
        ids = [token for run in runs for token in run.ids]
        special = [each for run in runs for each in run.special]
        empty = [token if kept else pad for token, kept in zip(ids, special, strict=True)]
        with torch.no_grad():
            self.given, self.baseline = (table(torch.tensor([each])) for each in (ids, empty))

    @property
    def cut(self) -> bool:
        """Whether the encoder reads only a text's beginning."""
        return any(run.cut for run in self.runs)

    @property
    def words(self) -> list[tuple[Word, tuple[int, ...]]]:
        """Every word with its tokens' places in `given`; the second text of a pair has segment 1."""
        found: list[tuple[Word, tuple[int, ...]]] = []
        start = 0
        for number, run in enumerate(self.runs):
            for word, tokens in run.words:
                moved = tuple(start + token for token in tokens)
                found.append((word._replace(token=moved[0], segment=max(number, word.segment)), moved))
            start += len(run.ids)
        return found

    def vectors(self, values: torch.Tensor) -> torch.Tensor:
        """What the part gives: see `FrozenEncoder.prepare` and `TunedEncoder.forward`."""
        parts = torch.split(values, [len(run.ids) for run in self.runs], dim=1)
        each = [self._run(part, run) for part, run in zip(parts, self.runs, strict=True)]
        if len(each) == 1:
            return each[0]
        first, second = each
        return torch.cat([first, second, (first - second).abs(), first * second], dim=1)

    def _run(self, values: torch.Tensor, run: _Tokens) -> torch.Tensor:
        """The encoder's vectors, scaled: (points, tokens, width) → (points, width)."""
        mask = torch.ones(values.shape[:2], dtype=torch.int64)
        given: dict[str, torch.Tensor] = {"inputs_embeds": values, "attention_mask": mask}
        if self.types:
            given["token_type_ids"] = torch.tensor([run.types]).expand(len(values), -1)
        output = self.network(**given)
        if self.opened:  # the network ends where a standard head begins
            return output.logits
        states = output.last_hidden_state[:, -len(run.ids) :]  # behind learnt prompts
        return normalize(pool(states, mask, self.model.pooling), dim=1) * self.model.width**0.5


class NgramReading(Reading):
    """The weights of a text's n-grams."""

    def __init__(self, part: NgramFeatures, sequence: Segments) -> None:
        inputs = part.prepare([sequence])
        assert isinstance(inputs, NgramInputs)
        places = torch.as_tensor(inputs.rows.indices)
        self.table = part.vectors.weight.detach()[places]
        self.given = torch.as_tensor(inputs.rows.values).unsqueeze(0)
        self.baseline = torch.zeros_like(self.given)
        self.buckets: list[int] = as_list(part.buckets[places])
        self.encoder, self.sequence = part.encoder, sequence

    def spelled(self) -> dict[int, list[str]]:
        """The letters behind each bucket; of a pair with the side they stand on (see `pair_ngrams.py`)."""
        shortest, longest, buckets = self.encoder.shortest, self.encoder.longest, self.encoder.buckets
        if self.sequence.second is None:
            return ngrams_by_bucket(self.sequence.first, shortest, longest, buckets)
        found: dict[int, list[str]] = {}
        for size in range(shortest, longest + 1):
            first, second = (ngrams_by_bucket(text or "", size, size, buckets) for text in self.sequence)
            for bucket in {*first, *second}:
                side = 0 if bucket in first and bucket in second else 1 if bucket in first else 2
                told = [f"{PAIR_SIDES[side]}{gram}" for gram in first.get(bucket, second.get(bucket, ()))]
                found.setdefault(bucket + side * buckets, []).extend(told)
        return found

    def vectors(self, values: torch.Tensor) -> torch.Tensor:
        """Sums of n-gram vectors."""
        return values @ self.table


def read_parts(features: JoinedFeatures, sequence: Segments) -> list[Reading]:
    """What every part reads of a text, in the order of their vectors.

    Raises:
        UsageError: the text is empty, or a part cannot be taken apart.
    """
    if not (sequence.first.strip() or (sequence.second or "").strip()):
        raise UsageError("the text is empty: there is nothing to explain", hint="Give a text.")
    return [_reading(part, sequence) for part in features.parts]


def _reading(part: nn.Module, sequence: Segments) -> Reading:
    if isinstance(part, NgramFeatures):
        return NgramReading(part, sequence)
    if isinstance(part, TunedEncoder):
        tokens = tokens_of(part.model.tokenizer, sequence, part.max_tokens)
        types = part.method.reads_pairs and "token_type_ids" in part.model.tokenizer.model_input_names
        return TokenReading(part.model, part.network, [tokens], types=types, opened=part.opened is not None)
    if isinstance(part, FrozenEncoder):
        model = part.encoder.load()
        longest = min(part.encoder.max_tokens or model.max_tokens, model.max_tokens)
        texts = [sequence.first, *([sequence.second or ""] if part.pairs else [])]
        runs = [tokens_of(model.tokenizer, Segments(text), longest) for text in texts]
        return TokenReading(model, model.network, runs)
    raise UsageError(f"what {type(part).__name__} reads cannot be attributed to pieces of a text")
