"""How far the rows that a model learns from are from those it will meet: words, unknown tokens, vectors."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from zhiling.curation.token_tags import TOKEN
from zhiling.encoders.ngrams import normalise
from zhiling.errors import DamagedFile
from zhiling.llm.pretrained import require, silent

SAMPLE = 500
"""Texts of a side whose words are compared, at most."""
VECTORS = 250
"""Texts of a side whose vectors are compared, at most: an encoder takes its time."""
FAR = 0.1
"""Bits of `words` above `words_within` from which on two sets are told to differ: parts of one set were at
most .06 above, and two sets of one language .11 and more (eleven sets, two languages)."""
UNKNOWN = 0.2
"""Share of unknown tokens from which on a tokenizer is told not to know a language."""
FOLDS = 5
LEAST = 2 * FOLDS
"""Texts of a side below which vectors are not compared."""

Encode = Callable[[Sequence[str]], NDArray[np.float32]]


@dataclass(frozen=True)
class Transfer:
    """Source and target side by side; all values are of samples of equal size."""

    texts: int
    """Of each side that were compared."""
    words: float
    """Jensen-Shannon divergence of their words (Chinese: characters), in bits: 0 equal, 1 none shared."""
    words_within: float
    """The same between two halves of the source: what chance alone brings."""
    unseen: float
    """Share of the target's words that no source text of the sample holds."""
    unknown: Mapping[str, float]
    """Language → share of the target's tokens that the backbone's tokenizer has no entry for."""
    encoder: float | None = None
    """Proxy A-distance of the vectors, from 0 (alike) to 2 (always told apart); None: not measured."""

    @property
    def far(self) -> bool:
        """Whether the words differ by more than parts of one set do."""
        return self.words - self.words_within > FAR

    def as_json(self) -> dict[str, Any]:
        """As the run's book keeps it, rounded to four places."""
        return cast(dict[str, Any], _rounded(asdict(self)))

    def __str__(self) -> str:
        unknown = ", ".join(f"{language} {share:.0%}" for language, share in self.unknown.items())
        told = [
            f"words {self.words:.2f} bits (two halves of the source: {self.words_within:.2f})",
            f"{self.unseen:.0%} of the target's words unseen",
            *([f"unknown tokens {unknown}"] if unknown else []),
            *([f"encoder {self.encoder:.2f} of 2"] if self.encoder is not None else []),
        ]
        return "source to target: " + "; ".join(told)


def measure(
    source: Sequence[str],
    target: Sequence[str],
    languages: Sequence[str],
    *,
    tokenizer: Any | None = None,
    encode: Encode | None = None,
    seed: int = 0,
) -> Transfer | None:
    """The distance from texts to learn from to texts to be met; None where one side is too small to say.

    Args:
        source: at least two texts.
        target: at least one.
        languages: of the target's texts.
        tokenizer: the backbone's, see `backbone_tokenizer`.
        encode: texts to vectors; without it vectors are not compared.
        seed: of the samples.
    """
    size = min(len(source) // 2, len(target), SAMPLE)
    if size < 1:
        return None
    draws = np.random.default_rng(seed)
    drawn = draws.permutation(len(source))
    one, other = ([str(source[row]) for row in part] for part in (drawn[:size], drawn[size : 2 * size]))
    places = draws.permutation(len(target))[:size].tolist()
    met, tags = ([str(column[row]) for row in places] for column in (target, languages))
    ours, half, theirs = (word_counts(texts) for texts in (one, other, met))
    known = sum(count for word, count in theirs.items() if word in ours)
    return Transfer(
        texts=size,
        words=jensen_shannon(ours, theirs),
        words_within=jensen_shannon(ours, half),
        unseen=1 - known / max(1, theirs.total()),
        unknown=unknown_shares(tokenizer, met, tags) if tokenizer else {},
        encoder=_apart(encode, one[:VECTORS], met[:VECTORS], seed) if encode and size >= LEAST else None,
    )


def _apart(encode: Encode, one: Sequence[str], other: Sequence[str], seed: int) -> float:
    return proxy_a_distance(encode(one), encode(other), seed)


def word_counts(texts: Sequence[str]) -> Counter[str]:
    """How often each word occurs, case folded; single characters of scripts without spaces."""
    return Counter(found.group() for text in texts for found in TOKEN.finditer(normalise(text)))


def jensen_shannon(one: Mapping[str, int], other: Mapping[str, int]) -> float:
    """The Jensen-Shannon divergence of two distributions, in bits: H((p + q) / 2) − (H(p) + H(q)) / 2.

    Anchors: 0 for equal ones, 1 where they share nothing. It is 0 where one of the two is empty.

    Source: Lin 1991, Divergence Measures Based on the Shannon Entropy, equation 4.1.
    """
    if not one or not other:
        return 0.0
    keys = sorted(one.keys() | other.keys())
    p, q = (np.array([each.get(key, 0) for key in keys], dtype=np.float64) for each in (one, other))
    p, q = p / p.sum(), q / q.sum()
    return min(1.0, max(0.0, _entropy((p + q) / 2) - (_entropy(p) + _entropy(q)) / 2))


def _entropy(shares: NDArray[np.float64]) -> float:
    some = shares[shares > 0]
    return float(-(some * np.log2(some)).sum())


def unknown_shares(tokenizer: Any, texts: Sequence[str], languages: Sequence[str]) -> dict[str, float]:
    """Language → share of the tokens of its texts that are the tokenizer's sign for "unknown"."""
    unknown, tokens = defaultdict[str, int](int), defaultdict[str, int](int)
    encoded: list[list[int]] = []
    if texts:
        encoded = tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]
    for language, ids in zip(languages, encoded, strict=True):
        tokens[language] += len(ids)
        unknown[language] += sum(each == tokenizer.unk_token_id for each in ids)
    return {language: unknown[language] / max(1, count) for language, count in sorted(tokens.items())}


def proxy_a_distance(one: NDArray[np.float32], other: NDArray[np.float32], seed: int = 0) -> float:
    """2 (1 − 2 ε), with ε the cross-validated error of a linear classifier that tells two sets apart.

    Anchors: 0 where it guesses, 2 where it never errs.

    Args:
        one: vectors, shape (n, width), at least `LEAST` of them.
        other: as many.
        seed: of the folds.

    Source: Ben-David et al. 2007, Analysis of Representations for Domain Adaptation, section 4.
    """
    linear, selection = require("sklearn.linear_model"), require("sklearn.model_selection")
    sides = np.repeat([0, 1], [len(one), len(other)])
    folds = selection.StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    right: NDArray[np.float64] = selection.cross_val_score(
        linear.LogisticRegression(max_iter=200), np.concatenate([one, other]), sides, cv=folds
    )
    return float(max(0.0, 2 * (2 * float(np.mean(right)) - 1)))


def backbone_tokenizer(folder: Path) -> Any:
    """The tokenizer of a model's folder, without its network.

    Raises:
        MissingExtra: transformers is not installed.
        DamagedFile: its files cannot be read.
    """
    transformers = require("transformers")
    try:
        with silent(transformers):
            return transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise DamagedFile(
            f"the tokenizer cannot be loaded ({type(error).__name__}: {error})",
            place=str(folder),
            hint="Fetch the model again with the files of its tokenizer.",
        ) from error


def _rounded(value: object) -> object:
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in cast(dict[str, object], value).items()}
    return round(value, 4) if isinstance(value, float) else value
