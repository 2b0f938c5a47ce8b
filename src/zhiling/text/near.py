"""Near-duplicates of any number of rows, given in blocks: memory grows with the rows that meet, not with all.

Of each row 168 bytes of band keys (at .8) stay in memory; the shingles go to a temporary file beyond 64 MB,
and only those of rows that meet another row in a bucket are read back.
"""

from __future__ import annotations

from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from types import TracebackType
from typing import IO, Self, cast

import numpy as np
from numpy.typing import NDArray

from zhiling.text.buffers import offsets_of, row_ranges
from zhiling.text.linking import Pairs, Rows
from zhiling.text.minhash import Method, band_keys, meetings, verified
from zhiling.text.shingles import Shingles, distinct_sets

_MEMORY_BYTES = 1 << 26
_READ_CELLS = 1 << 20
_CELL_BYTES = 4


@dataclass(frozen=True)
class Near:
    """The rows that may have a near-duplicate, and the pairs among them."""

    rows: Rows
    """Numbers of these rows in the order in which they were added, ascending."""
    sets: Shingles
    """The shingles of these rows."""
    pairs: Pairs
    """Verified pairs, as `near_duplicates` gives them; left and right are places in `rows`."""


class NearIndex:
    """Finds what `near_duplicates` finds, over blocks of rows; close it, or use it in a `with`."""

    def __init__(self, jaccard: float = 0.8, method: Method = "minhash", seed: int = 1) -> None:
        """An empty index for pairs of at least this similarity."""
        self._jaccard, self._method, self._seed = jaccard, method, seed
        self._keys: list[NDArray[np.uint64]] = []
        self._sizes: list[Rows] = []
        self._spilled = cast(IO[bytes], SpooledTemporaryFile(max_size=_MEMORY_BYTES))  # noqa: SIM115

    def __enter__(self) -> Self:
        """The index itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes it."""
        self.close()

    def close(self) -> None:
        """Gives the temporary file back."""
        self._spilled.close()

    @property
    def sizes(self) -> Rows:
        """Number of shingles of each row added so far, repeats included."""
        return np.concatenate([np.empty(0, dtype=np.int64), *self._sizes])

    def add(self, rows: Shingles) -> None:
        """Takes the shingles of the next rows: sets, or bags, which cost less to make."""
        self._sizes.append(rows.sizes)
        self._spilled.write(rows.hashes.data)
        if self._method == "minhash":
            self._keys.append(band_keys(rows, np.flatnonzero(rows.sizes), self._jaccard, self._seed))

    def find(self) -> Near:
        """The near-duplicates among all rows added."""
        filled = np.flatnonzero(self.sizes)
        if self._method == "exact":
            sets = self._read(filled)
            return Near(filled, sets, verified(sets, None, self._jaccard))
        met = meetings(self._keys, filled)
        rows = met.rows()
        sets = self._read(rows)
        return Near(rows, sets, verified(sets, met.renumbered(rows), self._jaccard))

    def _read(self, rows: Rows) -> Shingles:
        """The sets of these rows (ascending), from the file in one pass."""
        offsets = offsets_of(self.sizes)
        chosen = offsets_of(self.sizes[rows])
        hashes = np.empty(int(chosen[-1]), dtype=np.uint32)
        self._spilled.seek(0)
        for start, stop in row_ranges(offsets, _READ_CELLS):
            size = int(offsets[stop] - offsets[start]) * _CELL_BYTES
            block = np.frombuffer(self._spilled.read(size), dtype=np.uint32)
            low, high = np.searchsorted(rows, (start, stop))
            part = Shingles(block, offsets[start : stop + 1] - offsets[start])
            hashes[chosen[low] : chosen[high]] = part.take(rows[low:high] - start).hashes
        return distinct_sets(Shingles(hashes, chosen))
