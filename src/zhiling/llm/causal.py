"""A local causal language model: how probable it finds a text after another.

    model = load_causal_lm(model_folder("models/some-model"))
    found = model.log_probabilities(["The sky is"] * 2, [" blue", " wet"])
    found.sums, found.tokens          # nats, float64; how many tokens each sum is over

What a model is asked is a `Span`: tokens, of which those from `start` on are scored, each given all before
it. A first token that nothing stands before cannot be scored: `CausalLM.text_span` and `reply_span` put
before it what the tokenizer itself puts before a text (its mark of the beginning), and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from zhiling.errors import UsageError
from zhiling.llm.batches import Ids, batches, padded
from zhiling.llm.conversation import has_template
from zhiling.llm.device import Device, Dtype, placed
from zhiling.llm.location import content_hash
from zhiling.llm.pretrained import read_pretrained, require

if TYPE_CHECKING:
    import torch

LONGEST_DEFAULT = 2048
"""Tokens of a context where nobody asks for more: the table of a token's successors is what fills memory."""
BATCH_TOKENS = 4096
_MOST_NUMBERS = 2**28
"""Of the table of successors, 1 GiB in float32: with large vocabularies batches hold fewer tokens."""


@dataclass(frozen=True)
class Span:
    """Tokens, of which those from `start` (at least 1) on are scored."""

    ids: Ids
    start: int


@dataclass(frozen=True)
class Likelihoods:
    """One value a span.

    Attributes:
        sums: log-probability of the scored tokens, in nats, float64; 0 where none is scored.
        tokens: how many are scored, int64.
        windows: windows that it took, int64; 1: every token was given all that stands before it.
    """

    sums: NDArray[np.float64]
    tokens: NDArray[np.int64]
    windows: NDArray[np.int64]

    @property
    def losses(self) -> NDArray[np.float64]:
        """Mean loss of a token in nats, NaN where none is scored; exp of it is the perplexity."""
        counted = np.where(self.tokens > 0, self.tokens, 1)
        return np.where(self.tokens > 0, -self.sums / counted, np.nan)


@dataclass(frozen=True)
class CausalLM:
    """A network ready to score tokens, in evaluation mode; shared by all that read the same folder.

    Attributes:
        context: most tokens that the network was made for.
        beginning: what the tokenizer puts before a text, such as its mark of the beginning; often nothing.
    """

    folder: Path
    tokenizer: Any
    network: torch.nn.Module
    context: int
    beginning: tuple[int, ...]

    @property
    def vocabulary(self) -> int:
        """How many different tokens the network can tell."""
        return int(cast(Any, self.network).config.get_text_config().vocab_size)

    @property
    def opening(self) -> tuple[int, ...]:
        """What stands before a prompt: nothing where the chat template writes all marks itself."""
        return () if has_template(self.tokenizer) else self.beginning

    def width(self, max_tokens: int | None) -> int:
        """Most tokens of one input: as asked for, else LONGEST_DEFAULT; never more than the context."""
        return min(max_tokens or LONGEST_DEFAULT, self.context)

    def tokenise(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of the texts alone, without special tokens."""
        if not texts:
            return []
        encoded = self.tokenizer(list(texts), add_special_tokens=False, verbose=False)
        return cast(list[list[int]], encoded["input_ids"])

    def text_span(self, ids: Ids) -> Span:
        """A text on its own; without a mark of the beginning its first token is not scored."""
        return Span((*self.beginning, *ids), max(1, len(self.beginning)))

    def reply_span(self, prompt: Ids, reply: Ids) -> Span:
        """A reply after a prompt that holds its own mark of the beginning, or after nothing."""
        return Span((*prompt, *reply), len(prompt)) if prompt else self.text_span(reply)

    def log_probabilities(
        self, prompts: Sequence[str], continuations: Sequence[str], *, batch_tokens: int = BATCH_TOKENS
    ) -> Likelihoods:
        """How probable each continuation is after its prompt; one value a pair.

        Prompt and continuation are turned into tokens apart, so the border between them is where it was
        asked for: a space that belongs to the continuation must stand in it.

        Raises:
            UsageError: a pair is longer than the context.
        """
        heads = [[*self.beginning, *ids] for ids in self.tokenise(prompts)]
        spans = [
            self.reply_span(head, ids) for head, ids in zip(heads, self.tokenise(continuations), strict=True)
        ]
        longest = max((len(span.ids) for span in spans), default=0)
        if longest > self.context:
            raise UsageError(
                f"a prompt and its continuation have {longest} tokens, the model takes {self.context}",
                place=str(self.folder),
                hint="shorten the prompt, or use a model with a longer context",
            )
        return self.score(spans, batch_tokens=batch_tokens)

    def score(
        self, spans: Sequence[Span], *, max_tokens: int | None = None, batch_tokens: int = BATCH_TOKENS
    ) -> Likelihoods:
        """The likelihood of each span, in its order; values differ by about 1e-6 with what shares a batch.

        A span longer than `max_tokens` is scored in windows that overlap by half, each token once, in the
        first window that holds it: so every token is given at least half a window of what stands before it.

        Args:
            spans: what to score.
            max_tokens: longest window; unset: the context, at most LONGEST_DEFAULT.
            batch_tokens: tokens per batch, padding included.
        """
        width = self.width(max_tokens)
        cut = [window for number, span in enumerate(spans) for window in _windows(number, span, width)]
        sums, tokens, windows = np.zeros(len(spans)), *np.zeros((2, len(spans)), dtype=np.int64)
        most = min(batch_tokens, max(1, _MOST_NUMBERS // self.vocabulary))
        for places in batches([ids for _, ids, _ in cut], most):
            chosen = [cut[place] for place in places]
            values = _summed(self.network, [(ids, start) for _, ids, start in chosen])
            for (number, ids, start), value in zip(chosen, values, strict=True):
                sums[number] += value
                tokens[number] += len(ids) - start
                windows[number] += 1
        return Likelihoods(sums, tokens, windows)


def _windows(number: int, span: Span, width: int) -> list[tuple[int, Ids, int]]:
    """Windows of a span: its number, the tokens, and from where on they are scored."""
    count = len(span.ids)
    if span.start < 1:
        raise ValueError(f"start is {span.start}, but nothing stands before the first token")
    if count <= span.start:
        return []
    if count <= width:
        return [(number, span.ids, span.start)]
    step = max(1, width // 2)
    found: list[tuple[int, Ids, int]] = []
    done = span.start
    while done < count:
        end = min(count, max(width, done + step))
        begin = max(0, end - width)
        found.append((number, span.ids[begin:end], done - begin))
        done = end
    return found


def _summed(network: torch.nn.Module, spans: Sequence[tuple[Ids, int]]) -> list[float]:
    """Log-probability of the scored tokens of each span of one batch."""
    torch = require("torch")
    inputs = padded([ids for ids, _ in spans], 0, next(network.parameters()).device)
    sums: list[float] = []
    with torch.inference_mode():
        logits = network(**inputs, use_cache=False).logits
        for row, (ids, start) in enumerate(spans):
            targets = inputs["input_ids"][row, start : len(ids)]
            losses = torch.nn.functional.cross_entropy(
                logits[row, start - 1 : len(ids) - 1].float(), targets, reduction="none"
            )
            sums.append(-float(losses.double().sum()))
    return sums


def load_causal_lm(folder: Path, device: Device = "cpu", dtype: Dtype = "float32") -> CausalLM:
    """The model in a folder, loaded once per process and content.

    Raises:
        MissingExtra: torch or transformers is not installed.
        MissingInput: the device is not there.
        DamagedFile: a file of the model cannot be read.
        UsageError: the folder holds no causal language model, or the numbers are too slow here.
    """
    return _load(folder.resolve(), content_hash(folder), device, dtype)


@lru_cache(maxsize=2)
def _load(folder: Path, _content: str, device: Device, dtype: Dtype) -> CausalLM:
    """The model in a folder; the content hash is only there to notice changed files."""
    tokenizer, network, missing = read_pretrained(folder, "AutoModelForCausalLM")
    built = " ".join(cast(Any, network).config.architectures or ())
    if missing or "Classification" in built:  # a classifier's body loads, but no longer tells what comes next
        wrong = (
            f"the weights {', '.join(sorted(missing)[:3])} are not there" if missing else f"it is a {built}"
        )
        raise UsageError(
            f"no causal language model: {wrong}",
            place=str(folder),
            hint="name the folder of a model that writes text; encoders and reward models do not",
        )
    context = context_of(cast(Any, network).config, tokenizer)
    return CausalLM(folder, tokenizer, placed(network, device, dtype), context, _beginning(tokenizer))


def context_of(config: Any, tokenizer: Any) -> int:
    """Most tokens that a network takes: its positions, and what its tokenizer was told where that is less."""
    positions = getattr(config.get_text_config(), "max_position_embeddings", None) or LONGEST_DEFAULT
    told = getattr(tokenizer, "model_max_length", None) or positions
    return int(min(positions, told))


def _beginning(tokenizer: Any) -> tuple[int, ...]:
    """What the tokenizer puts before a text: its special tokens that precede those of the text."""
    bare = cast(list[int], tokenizer("a", add_special_tokens=False)["input_ids"])
    whole = cast(list[int], tokenizer("a")["input_ids"])
    places = [place for place in range(len(whole)) if whole[place : place + len(bare)] == bare]
    return tuple(whole[: places[0]]) if bare and places else ()
