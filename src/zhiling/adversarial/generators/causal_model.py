"""A small causal language model, trained on the spot: it learns texts, then their labels, and writes.

    model = LanguageModel.fit(texts, labels, LanguageModelSettings(), seed=0)
    model.sample(["refund", "退款"], temperature=0.8, seed=1)

All of it runs in one thread of the CPU, so that the weights are the same whatever else the machine does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from zhiling.adversarial.generators.vocabulary import Vocabulary
from zhiling.adversarial.seeded import seeded_torch
from zhiling.errors import StepFailed, UsageError
from zhiling.llm.pretrained import require

_HEAD = 32  # columns of an attention head
_MARKS = 2  # end and beginning: behind the vocabulary, before the labels
_WARMUP = 0.05  # of the steps, in which the learning rate rises
_BATCHES = 32  # texts are sorted by length among this many batches: little padding, still a random order
_WRITTEN = 256  # texts that are written at once
_VOCABULARY_TEXTS = 20_000  # from which the vocabulary is learnt, at most
_LOST = "\ufffd"
_IGNORED = -100

Pair = tuple[str | None, str]
"""A label, or None, and a text."""


class LanguageModelSettings(BaseModel):
    """How large a model is, and how long it learns."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    layers: int = Field(default=2, ge=1, le=24, description="layers of the network")
    width: int = Field(default=128, ge=32, le=1024, multiple_of=_HEAD, description="columns of a layer")
    vocabulary: int = Field(default=2000, ge=256, le=50_000, description="tokens at most; 256 are bytes")
    longest: int = Field(
        default=48, ge=4, le=1024, description="tokens of a text that are read, and that are written at most"
    )
    pretraining: int = Field(
        default=800, ge=0, le=100_000, description="steps on all texts, labelled or not, without labels"
    )
    tuning: int = Field(default=100, ge=1, le=100_000, description="steps on texts with their labels")
    batch_size: int = Field(default=64, ge=1, le=1024, description="texts of a step")
    learning_rate: float = Field(default=4e-3, gt=0, le=0.1, description="at its highest (AdamW)")


class Fault(StrEnum):
    """Why what a model wrote is no text."""

    EMPTY = "empty"
    TRUNCATED = "truncated"
    LOST_CHARACTERS = "lost_characters"


class Sample(NamedTuple):
    """What a model wrote for a label, and what is wrong with it."""

    text: str
    fault: Fault | None


@dataclass(frozen=True)
class LanguageModel:
    """A decoder with a control token for each label, whose vector is added to that of every token of a text.

    A text that is longer than `longest` tokens is learnt as far as it is read, without its end.

    Five texts teach a control token with drawn weights nothing. So half of the texts without a label are
    learnt with a hint in its place, the mean of the vectors of some of their tokens, and a control token
    begins as the mean of all tokens of its label's texts: what a hint does is known before a label is read.
    (Of texts for 25 intents of CLINC150 8 % fitted their label without hints, 28 % with them.)

    Source: Radford et al. 2019 (GPT-2, the network); Keskar et al. 2019 (CTRL, labels as control tokens);
    Anaby-Tavor et al. 2020 (LAMBADA: label, then text, for few labelled rows).
    Deviation: hints; a control token is a segment (Devlin et al. 2019, BERT), not a word before the text.

    Attributes:
        settings: size and steps.
        vocabulary: tokens.
        labels: those that it can write for, sorted.
        network: a `GPT2LMHeadModel` in evaluation mode.
    """

    settings: LanguageModelSettings
    vocabulary: Vocabulary
    labels: tuple[str, ...]
    network: Any

    @classmethod
    def fit(
        cls, texts: Sequence[str], labels: Sequence[str | None], settings: LanguageModelSettings, seed: int
    ) -> LanguageModel:
        """A model that has learnt all texts, and then those with a label. Order and seed decide the weights.

        Args:
            texts: none of them blank.
            labels: of each text; None where it has none.
            settings: size and steps. Time grows with these, not with the number of texts: `batch_size` of
                them are drawn a step.
            seed: of weights, order and dropout.

        Raises:
            MissingExtra: torch or transformers is not installed.
            UsageError: no text has a label, or a text is blank.
            StepFailed: the loss is no longer a number.
        """
        told = [(label, text) for label, text in zip(labels, texts, strict=True) if label is not None]
        if not told:
            raise UsageError(
                f"none of {len(texts)} texts has a label", hint="give at least one text a label to write for"
            )
        model = cls.pretrained(texts, settings, seed)
        return model.tuned([text for _, text in told], [label for label, _ in told], settings.tuning, seed)

    @classmethod
    def pretrained(cls, texts: Sequence[str], settings: LanguageModelSettings, seed: int) -> LanguageModel:
        """A model that has learnt texts, and knows no label; see `fit`."""
        drawn = np.random.default_rng(seed).permutation(len(texts))[:_VOCABULARY_TEXTS]
        vocabulary = Vocabulary.learn([texts[int(at)] for at in drawn], settings.vocabulary, settings.longest)
        with seeded_torch(seed):
            model = cls(settings, vocabulary, (), _network(settings, vocabulary.size))
            model._train([(None, text) for text in texts], settings.pretraining, seed)
        return model

    def tuned(self, texts: Sequence[str], labels: Sequence[str], steps: int, seed: int) -> LanguageModel:
        """The model after further steps on labelled texts; this one stays as it is.

        Labels may be new. Raises as `fit`.
        """
        pairs = list(zip(labels, texts, strict=True))
        with seeded_torch(seed):
            model = self._with_labels(pairs)
            model._train(pairs, steps, seed)
        return model

    @property
    def parameters(self) -> int:
        """How many numbers are learnt."""
        return sum(each.numel() for each in self.network.parameters())

    def sample(
        self, labels: Sequence[str], *, temperature: float = 1.0, top_p: float = 1.0, seed: int = 0
    ) -> list[Sample]:
        """A text for each label.

        Args:
            labels: as often as texts are wanted.
            temperature: above 0; 1 samples as the model believes, less takes what is likelier.
            top_p: of the likeliest tokens as many as have this probability together are drawn from.
            seed: equal seeds and labels give equal texts.

        Raises:
            UsageError: a label that it does not know.
        """
        torch, transformers = require("torch"), require("transformers")
        end = self._end
        config = transformers.GenerationConfig(
            do_sample=True, temperature=temperature, top_p=top_p, top_k=0, eos_token_id=end,
            pad_token_id=end, max_new_tokens=self.settings.longest + 1,
            suppress_tokens=list(range(self._begin, self._begin + 1 + len(self.labels))),
        )  # fmt: skip
        marks = [self._mark(label) for label in labels]
        written: list[Sample] = []
        with seeded_torch(seed), torch.inference_mode():
            for start in range(0, len(marks), _WRITTEN):
                told = torch.tensor(marks[start : start + _WRITTEN])[:, None]
                made = self.network.generate(
                    torch.full_like(told, self._begin), token_type_ids=told,
                    attention_mask=torch.ones_like(told), generation_config=config,
                )  # fmt: skip
                written += [self._sample(ids) for ids in made[:, 1:].tolist()]
        return written

    def log_likelihood(self, texts: Sequence[str], labels: Sequence[str | None]) -> NDArray[np.float64]:
        """How likely texts are: ln P(text and its end | label) in nats, shape (n,), at most 0.

        Of a long text as far as it is read. Anchor: a network that holds every token for equally likely gives
        minus (tokens + 1) · ln(size of the vocabulary + 1).

        Args:
            texts: any.
            labels: of each; None: without a label, as other texts are learnt.

        Raises:
            UsageError: a label that it does not know.
        """
        torch = require("torch")
        found = [np.empty(0)]
        pairs = list(zip(labels, texts, strict=True))
        with seeded_torch(0), torch.inference_mode():
            for start in range(0, len(pairs), _WRITTEN):
                losses, _ = self._losses(pairs[start : start + _WRITTEN])
                found.append(-losses.double().sum(dim=1).numpy())
        return np.concatenate(found)

    @property
    def _end(self) -> int:
        return self.vocabulary.size

    @property
    def _begin(self) -> int:
        return self.vocabulary.size + 1

    def _mark(self, label: str) -> int:
        if label not in self.labels:
            known = ", ".join(map(repr, self.labels[:10]))
            raise UsageError(
                f"the language model has not learnt label {label!r}", hint=f"it knows {known} (the first ten)"
            )
        return self._begin + 1 + self.labels.index(label)

    def _with_labels(self, pairs: Sequence[tuple[str, str]]) -> LanguageModel:
        """A copy that has a control token for each of these labels; a new one hints at all of its texts."""
        torch = require("torch")
        of_label: dict[str, list[int]] = {}
        for label, text in pairs:
            of_label.setdefault(label, []).extend(self.vocabulary.encode(text).ids)
        new = sorted(set(of_label) - set(self.labels))
        network = deepcopy(self.network)
        before = self._begin + 1 + len(self.labels)
        network.resize_token_embeddings(before + len(new), mean_resizing=False)
        vectors = network.get_input_embeddings().weight
        with torch.no_grad():
            for number, label in enumerate(new, before):
                vectors[number] = vectors[of_label[label]].mean(dim=0)
        return LanguageModel(self.settings, self.vocabulary, (*self.labels, *new), network)

    def _sample(self, ids: list[int]) -> Sample:
        ended = self._end in ids
        text = self.vocabulary.decode(ids[: ids.index(self._end)] if ended else ids).strip()
        if not ended:
            return Sample(text, Fault.TRUNCATED)
        if _LOST in text:
            return Sample(text, Fault.LOST_CHARACTERS)
        return Sample(text, None if text else Fault.EMPTY)

    def _sequence(self, text: str) -> list[int]:
        found = self.vocabulary.encode(text)
        return [self._begin, *found.ids, *([self._end] if found.whole else [])]

    def _losses(self, pairs: Sequence[Pair], *, hints: bool = False) -> tuple[Any, Any]:
        """-ln P of each token of the texts, shape (texts, tokens), 0 in the padding; where tokens are.

        With `hints` half of the texts without a label get one.
        """
        torch = require("torch")
        rows = [self._sequence(text) for _, text in pairs]
        most = max(map(len, rows))
        ids = torch.tensor([[*row, *[self._end] * (most - len(row))] for row in rows])
        told = torch.arange(most)[None] < torch.tensor([len(row) for row in rows])[:, None]
        embedded = self.network.get_input_embeddings()
        vectors = embedded(ids[:, :-1])
        if hints:
            vectors = vectors + _hints(vectors, ids[:, :-1] < self.vocabulary.size)
        else:
            marks = [self._begin if label is None else self._mark(label) for label, _ in pairs]
            labelled = torch.tensor([label is not None for label, _ in pairs])
            vectors = vectors + (embedded(torch.tensor(marks)) * labelled[:, None])[:, None]
        # No mask of attention: padding stands behind the text, where a causal network does not look.
        logits = self.network(inputs_embeds=vectors, use_cache=False).logits[..., : self._begin]
        wanted = ids[:, 1:].masked_fill(~told[:, 1:], _IGNORED)
        losses = torch.nn.functional.cross_entropy(
            logits.transpose(1, 2), wanted, ignore_index=_IGNORED, reduction="none"
        )
        return losses, told[:, 1:]

    def _train(self, pairs: Sequence[Pair], steps: int, seed: int) -> None:
        """Changes the weights; the learning rate rises shortly and falls to 0."""
        torch = require("torch")
        blank = next((text for _, text in pairs if not text.strip()), None)
        if blank is not None:
            raise UsageError(f"a text to learn from is blank: {blank!r}", hint="leave blank texts out")
        optimiser = torch.optim.AdamW(self.network.parameters(), lr=self.settings.learning_rate)
        rate = require("transformers").get_linear_schedule_with_warmup(
            optimiser, round(_WARMUP * steps), steps
        )
        self.network.train()
        for batch in _batches([text for _, text in pairs], steps, self.settings.batch_size, seed):
            chosen = [pairs[at] for at in batch]
            losses, told = self._losses(chosen, hints=chosen[0][0] is None)
            loss = losses.sum() / told.sum()
            if not torch.isfinite(loss):
                raise StepFailed(
                    f"the language model's loss is {float(loss.detach())}", hint="lower its `learning_rate`"
                )
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
            optimiser.step()
            rate.step()
        self.network.eval()


def _network(settings: LanguageModelSettings, tokens: int) -> Any:
    """A network with drawn weights."""
    transformers = require("transformers")
    config = transformers.GPT2Config(
        vocab_size=tokens + _MARKS, n_positions=settings.longest + 2, n_embd=settings.width,
        n_layer=settings.layers, n_head=settings.width // _HEAD,
        bos_token_id=tokens + 1, eos_token_id=tokens,
    )  # fmt: skip
    return transformers.GPT2LMHeadModel(config)


def _hints(vectors: Any, words: Any) -> Any:
    """What is added to the vectors of texts: nothing, or the mean of half of their words; (texts, 1, width).

    Args:
        vectors: of marks and tokens, (texts, tokens, width).
        words: which of them are tokens of the text, (texts, tokens).
    """
    torch = require("torch")
    given = torch.rand(len(words), 1) < 0.5
    shown = words & given & (torch.rand(words.shape) < 0.5)
    count = shown.sum(dim=1, keepdim=True).clamp(min=1)
    return ((vectors * shown[..., None]).sum(dim=1) / count)[:, None]


def _batches(texts: Sequence[str], steps: int, size: int, seed: int) -> Iterator[list[int]]:
    """Numbers of the texts of each step: all before any comes again, those alike in length together."""
    draws = np.random.default_rng(seed)
    size = min(size, len(texts))
    lengths = np.array([len(text) for text in texts])
    order = np.empty(0, dtype=np.int64)
    for first in range(0, steps, _BATCHES):
        count = min(_BATCHES, steps - first) * size
        while len(order) < count:
            order = np.concatenate([order, draws.permutation(len(texts))])
        block, order = order[:count], order[count:]
        block = block[np.argsort(lengths[block], kind="stable")].reshape(-1, size)
        yield from block[draws.permutation(len(block))].tolist()
