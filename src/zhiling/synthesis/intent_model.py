"""Discovered intents: learnt from texts, edited by a list, told for any text; and their form on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import orjson
from numpy.typing import NDArray

from zhiling.encoders.nearest import nearest
from zhiling.errors import UsageError
from zhiling.pipeline.step import Encoder
from zhiling.synthesis.intent_graph import Ints, NgramSpace, Vectors, clustered, joined
from zhiling.synthesis.intent_list import Entry, read_list, write_list
from zhiling.synthesis.intent_terms import cluster_terms

VOTES = 10
NOTHING = ""
"""The name of what a person dropped."""

_TYPICAL = 6
_TYPICAL_CHARACTERS = 300
_VECTORS, _NAMES, LIST = "vectors.npz", "names.json", "intents.yaml"


@dataclass(frozen=True)
class Intents:
    """Known texts with their intents, m of them.

    Attributes:
        space: of their n-grams.
        vectors: (m, dimension).
        labels: (m,), places in `names`.
        names: of the intents; NOTHING for what was dropped.
    """

    space: NgramSpace
    vectors: Vectors
    labels: Ints
    names: list[str]

    def told(self, texts: Sequence[str], encoder: Encoder) -> tuple[list[str | None], NDArray[np.float64]]:
        """The intent of each text, None for nothing, and the share of the nearest known texts that have it.

        An empty text has none, and 0.
        """
        found = joined(encoder.encode(texts), self.space.vectors(texts)).astype(np.float64)
        # in double precision, so that the batch a text comes in changes no digit that is told
        near, likeness = nearest(found, self.vectors.astype(np.float64), min(VOTES, len(self.vectors)))
        votes = np.zeros((len(texts), len(self.names)))
        np.add.at(votes, (np.arange(len(texts))[:, None], self.labels[near]), likeness.clip(0))
        best = votes.argmax(axis=1)
        shares = votes[np.arange(len(texts)), best] / np.maximum(votes.sum(axis=1), 1e-12)
        pairs: list[tuple[int, float]] = list(zip(best.tolist(), shares.tolist(), strict=True))
        names = [self.names[place] or None if share > 0 else None for place, share in pairs]
        return names, shares

    def write(self, folder: Path) -> None:
        """Writes all but the list."""
        np.savez(
            folder / _VECTORS,
            columns=self.space.columns,
            weights=self.space.weights,
            components=self.space.components.astype(np.float16),
            vectors=self.vectors.astype(np.float16),
            labels=self.labels,
        )
        (folder / _NAMES).write_bytes(orjson.dumps(self.names))

    @classmethod
    def read(cls, folder: Path) -> Intents:
        """What `write` wrote."""
        with np.load(folder / _VECTORS) as held:
            space = NgramSpace(held["columns"], held["weights"], held["components"].astype(np.float32))
            vectors, labels = held["vectors"].astype(np.float32), held["labels"]
        return cls(space, vectors, labels, orjson.loads((folder / _NAMES).read_bytes()))


def discover(
    texts: Sequence[str], encoder: Encoder, seed: int = 0, clusters: int | None = None
) -> tuple[Intents, list[Entry]]:
    """The intents of texts, and the list of them for a person.

    Args:
        texts: at least one that is not empty.
        encoder: gives their vectors.
        seed: of k-means and of the decomposition.
        clusters: how many intents; None: as many as the texts show.
    """
    space = NgramSpace.learnt(texts, seed)
    vectors = joined(encoder.encode(texts), space.vectors(texts))
    labels = clustered(vectors, seed, clusters)
    entries = _entries(texts, vectors, labels)
    return Intents(space, vectors, labels, [entry.intent for entry in entries]), entries


def edited(
    found: Intents, texts: Sequence[str], entries: Sequence[Entry], encoder: Encoder, file: Path
) -> Intents:
    """The intents as a person's list wants them.

    An entry means the cluster that most of its typical texts are in; clusters that no entry means stay.

    Raises:
        UsageError: two entries mean one cluster.
    """
    meant: dict[int, Entry] = {}
    typical = [text for entry in entries for text in entry.texts]
    names = iter(found.told(typical, encoder)[0] if typical else ())
    for entry in entries:
        cluster = _meant(found, entry, list(islice(names, len(entry.texts))))
        if cluster in meant:
            raise UsageError(
                f"{meant[cluster].intent!r} and {entry.intent!r} lie in one cluster now",
                place=str(file), hint="delete one of the entries, or set `clusters` to a larger number",
            )  # fmt: skip
        meant[cluster] = entry
    called = list(found.names)
    labels = found.labels.copy()
    for cluster, entry in meant.items():
        called[cluster] = NOTHING if entry.action == "drop" else entry.into or entry.called
        if entry.action == "split" and entry.parts:
            _split(found, texts, cluster, entry.parts, labels, called)
    distinct = list(dict.fromkeys(called))
    place = np.array([distinct.index(name) for name in called], dtype=np.int64)
    return Intents(found.space, found.vectors, place[labels], distinct)


def learn(texts: Sequence[str], encoder: Encoder, folder: Path, seed: int, clusters: int | None,
          list_file: Path | None) -> None:  # fmt: skip
    """Discovers intents, applies the list, and writes both into a folder."""
    found, entries = discover(texts, encoder, seed, clusters)
    if list_file is not None:
        found = edited(found, texts, read_list(list_file), encoder, list_file)
        entries = _entries(texts, found.vectors, found.labels, found.names)
    found.write(folder)
    write_list(entries, folder / LIST)


def _meant(found: Intents, entry: Entry, names: Sequence[str | None]) -> int:
    told = [found.names.index(name) for name in names if name is not None]
    if not told:
        raise UsageError(
            f"the texts of {entry.intent!r} are empty", hint="leave `texts` as they were written"
        )
    return max(dict.fromkeys(told), key=told.count)


def _split(
    found: Intents, texts: Sequence[str], cluster: int, parts: int, labels: Ints, names: list[str]
) -> None:  # fmt: skip
    """Cuts a cluster; its parts are called by their terms, in `labels` and `names`."""
    rows = np.flatnonzero(found.labels == cluster)
    inner = clustered(found.vectors[rows], 0, parts)
    members: list[int] = rows.tolist()
    terms = cluster_terms([texts[row] for row in members], inner.tolist())
    for part in np.unique(inner).tolist():
        name = f"{names[cluster]}: {_name(terms.get(part, []), part)}"
        labels[rows[inner == part]] = len(names)
        names.append(name)


def _entries(
    texts: Sequence[str], vectors: Vectors, labels: Ints, names: Sequence[str] | None = None
) -> list[Entry]:
    """An entry a cluster, the texts nearest to its mean first."""
    terms = cluster_terms(texts, labels.tolist())
    entries: list[Entry] = []
    kinds: list[int] = np.unique(labels).tolist()
    for cluster in kinds:
        rows = np.flatnonzero(labels == cluster)
        order = np.argsort(-(vectors[rows] @ vectors[rows].mean(axis=0)), kind="stable")
        nearest: list[int] = rows[order].tolist()
        typical = list(dict.fromkeys(_line(texts[row]) for row in nearest))[:_TYPICAL]
        found = terms.get(cluster, [])
        name: str = names[cluster] if names is not None else _name(found, cluster)
        if name != NOTHING:
            entries.append(Entry(intent=name, rows=len(rows), terms=found, texts=typical))
    return _apart(entries) if names is None else entries


def _line(text: str) -> str:
    """The text's beginning on one line, without what a file for people cannot hold."""
    printable = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(printable.split())[:_TYPICAL_CHARACTERS].strip()


def _name(terms: Sequence[str], number: int) -> str:
    return " · ".join(terms[:3]) or f"intent {number + 1}"


def _apart(entries: Sequence[Entry]) -> list[Entry]:
    """Entries of one name get numbers."""
    met: dict[str, int] = {}
    found: list[Entry] = []
    for entry in entries:
        met[entry.intent] = met.get(entry.intent, 0) + 1
        again = met[entry.intent]
        found.append(entry.model_copy(update={"intent": f"{entry.intent} ({again})"}) if again > 1 else entry)
    return found
