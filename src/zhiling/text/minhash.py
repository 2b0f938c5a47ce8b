"""Near-duplicates by MinHash and banding, each candidate verified by its exact Jaccard similarity.

At most 126 permutations in b bands of r rows: two rows of similarity s meet in at least one band with
probability 1 - (1 - s**r)**b. For each threshold the bands are as narrow as .995 asks for: 21 bands of 6 at
.8 (.998; .93 at .7 and .28 at .5). The usual 16 bands of 8 give .95 at .8: over planted pairs of .8 and more
they found .988 (Chinese .982), 21 bands of 6 found .9996, for 14 % more time, as verification is cheap.

Source: Broder (1997), min-wise independent permutations; Leskovec, Rajaraman, Ullman, Mining of Massive
Datasets, 3.4.
Deviation: a permutation is the product with an odd number modulo 2**32 (the shingle hashes are well mixed
before). A 32×32→64 bit multiply-shift that keeps the high half is monotone in the hash: all permutations then
prefer the same shingles (recall .913, 20 times the candidates).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from zhiling.text.compiled import kernels
from zhiling.text.jaccard import distinct
from zhiling.text.linking import Comparison, Pairs, Postings, Rows, joined, link
from zhiling.text.prefix_filter import prefix_postings
from zhiling.text.shingles import Shingles
from zhiling.text.tokens import mix

Method = Literal["minhash", "exact"]

PERMUTATIONS = 126
LEAST_RECALL = 0.995
_BLOCK_ROWS = 512
_CROWD_ROWS = 64
_BLOCK_CELLS = 1 << 16


def near_duplicates(
    shingles: Shingles, jaccard: float = 0.8, method: Method = "minhash", seed: int = 1
) -> Pairs:
    """Verified pairs of rows with exact Jaccard >= `jaccard`, enough to connect all that were found.

    Every pair that is returned reaches the threshold (precision 1 on the shingles). With `minhash` a pair is
    found with a probability of at least .995, and then the two rows end up connected, directly or over
    others. With `exact` all pairs are found (recall 1), for twice the time or more. Equal sets are linked to
    their first row. Left < right, sorted.
    """
    met = None
    if method == "minhash":
        met = band_postings(shingles, np.flatnonzero(shingles.sizes), jaccard, seed)
    return verified(shingles, met, jaccard)


def verified(shingles: Shingles, met: Postings | None, jaccard: float) -> Pairs:
    """Pairs at the threshold among rows that meet in a bucket, as `near_duplicates`; None: among all rows."""
    sets = distinct(shingles)
    if met is None:
        postings = prefix_postings(shingles, sets.rows, jaccard)
    else:
        postings = thinned(shingles, met.among(sets.rows), jaccard)
    return joined([sets.repeats, link(postings, Comparison(shingles, jaccard))])


def signatures(shingles: Shingles, permutations: int = PERMUTATIONS, seed: int = 1) -> NDArray[np.uint32]:
    """MinHash signatures, shape (permutations, rows), uint32; the maximum stands for a row without shingles.

    The share of equal entries of two columns estimates the Jaccard similarity, standard error <= .045.
    """
    result = np.full((permutations, len(shingles)), np.iinfo(np.uint32).max, dtype=np.uint32)
    factors = _factors(permutations, seed)
    filled = np.flatnonzero(shingles.sizes)
    for places, cells in _rectangles(shingles, filled):
        result[:, filled[places]] = _minima(cells, factors)
    return result


@cache
def bands(threshold: float) -> tuple[int, int]:
    """Number of bands and rows of each: the widest that find a pair at the threshold with LEAST_RECALL.

    `bands(0.8)` is (21, 6).
    """
    for rows in range(PERMUTATIONS, 1, -1):
        count = PERMUTATIONS // rows
        if 1.0 - (1.0 - threshold**rows) ** count >= LEAST_RECALL:
            return count, rows
    return PERMUTATIONS, 1


def band_postings(shingles: Shingles, rows: Rows, threshold: float, seed: int = 1) -> Postings:
    """Postings whose groups are the buckets: rows (non-empty ones only) that agree in one band."""
    return meetings([band_keys(shingles, rows, threshold, seed)], rows)


def meetings(keys: Sequence[NDArray[np.uint64]], rows: Rows) -> Postings:
    """Postings of the rows that share a key with another row in one band; `keys`: blocks (bands, rows).

    Near-duplicates meet in many bands, two by two: three of four postings say again what others say.
    """
    groups: list[Rows] = [np.empty(0, dtype=np.int64)]
    owners: list[Rows] = [np.empty(0, dtype=np.int64)]
    for band in range(len(keys[0]) if keys else 0):
        places, number = _repeated(np.concatenate([block[band] for block in keys]))
        groups.append(number + band * (len(rows) + 1))
        owners.append(rows[places])
    row = np.concatenate(owners)
    return Postings(np.concatenate(groups), row, np.zeros(len(row), dtype=np.int64)).pairs_once()


def _repeated(keys: NDArray[np.uint64]) -> tuple[Rows, Rows]:
    """Places of the keys that stand more than once and a number for each such key, in order of both.

    The numbers count in the order in which the keys first come.
    """
    fast = kernels(keys.nbytes)
    if fast is not None:
        return fast.repeated(keys)
    first, places = _first_equal(keys)
    ordered = np.sort((first << np.int64(32)) | places)
    head = ordered >> np.int64(32)
    return ordered & np.int64(0xFFFFFFFF), np.cumsum(np.diff(head, prepend=-1) != 0) - 1


def _first_equal(keys: NDArray[np.uint64]) -> tuple[Rows, Rows]:
    """The places of the keys that stand more than once, and for each the first place of its key."""
    bits = max(len(keys).bit_length() + 2, 8)
    slot = keys >> np.uint64(64 - bits)
    # The last of a slot leaves its number there, so the others know that they are not alone: a fifth of the
    # cost of sorting all keys.
    number = np.arange(len(keys), dtype=np.uint32)
    last = np.empty(1 << bits, dtype=np.uint32)
    last[slot] = number
    crowded = np.zeros(1 << bits, dtype=np.bool_)
    crowded[slot[last[slot] != number]] = True
    places = np.flatnonzero(crowded[slot])
    places = places[np.argsort(keys[places], kind="stable")]
    again = np.zeros(len(places), dtype=np.bool_)
    again[1:] = keys[places[1:]] == keys[places[:-1]]
    met = again.copy()
    met[:-1] |= again[1:]
    heads = places[~again]
    return heads[np.cumsum(~again) - 1][met], places[met]


def band_keys(shingles: Shingles, rows: Rows, threshold: float, seed: int = 1) -> NDArray[np.uint64]:
    """The key of each band of the rows (non-empty ones only), shape (bands, rows): equal keys meet."""
    count, width = bands(threshold)
    factors = _factors(PERMUTATIONS, seed)[: count * width]
    fast = kernels(int(shingles.sizes[rows].sum()) * shingles.hashes.itemsize)
    if fast is not None:
        return fast.band_keys(shingles.hashes, shingles.offsets, rows, factors, count)
    keys = np.empty((count, len(rows)), dtype=np.uint64)
    for places, cells in _rectangles(shingles, rows):
        # Only the band keys are kept: at .8 168 bytes a row instead of the 504 of a signature.
        keys[:, places] = _band_keys(_minima(cells, factors), count)
    return keys


def thinned(shingles: Shingles, postings: Postings, threshold: float) -> Postings:
    """The postings without large buckets, whose rows meet at their rarest shingles instead.

    Rows of one template share most shingles and so their minima, but are often not alike enough: 130,000 rows
    of three templates made 200 million candidates, ten minutes against half a second. No pair is lost by it:
    two rows that met in a large bucket and reach the threshold meet again with certainty.
    """
    crowded = postings.group_sizes() > _CROWD_ROWS
    if not crowded.any():
        return postings
    exact = prefix_postings(shingles, np.unique(postings.row[crowded]), threshold)
    return postings.take(np.flatnonzero(~crowded)).followed_by(exact)


@cache
def _factors(permutations: int, seed: int) -> NDArray[np.uint32]:
    generator = np.random.default_rng(seed)
    return generator.integers(0, 1 << 31, permutations, dtype=np.uint32) * np.uint32(2) + np.uint32(1)


def _rectangles(shingles: Shingles, rows: Rows) -> Iterator[tuple[Rows, NDArray[np.uint32]]]:
    """Places in `rows` of rows of about equal size, with their hashes as columns, shape (longest, places).

    A row that is shorter than the longest repeats its last hash, which changes no minimum.
    """
    sizes = shingles.sizes[rows]
    order = np.argsort(sizes, kind="stable")
    stop = len(order)
    while stop:
        longest = int(sizes[order[stop - 1]])
        start = max(stop - min(_BLOCK_ROWS, max(_BLOCK_CELLS // longest, 1)), 0)
        places = order[start:stop]
        column = np.minimum(np.arange(longest)[:, None], sizes[places] - 1)
        yield places, shingles.hashes[shingles.offsets[rows[places]] + column]
        stop = start


def _minima(cells: NDArray[np.uint32], factors: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Smallest permuted hash of each column under each factor, shape (factors, columns)."""
    minima = np.empty((len(factors), cells.shape[1]), dtype=np.uint32)
    product = np.empty_like(cells)
    for number, factor in enumerate(factors):
        np.multiply(cells, factor, out=product)
        np.minimum.reduce(product, axis=0, out=minima[number])
    return minima


def _band_keys(minima: NDArray[np.uint32], count: int) -> NDArray[np.uint64]:
    """One 64-bit key for each band of each column, shape (bands, columns)."""
    parts = minima.reshape(count, -1, minima.shape[1]).astype(np.uint64)
    keys = np.zeros((count, minima.shape[1]), dtype=np.uint64)
    for number in range(parts.shape[1]):
        keys = mix(keys * np.uint64(0x9E3779B97F4A7C15) + parts[:, number])
    return keys
