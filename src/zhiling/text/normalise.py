"""The one normal form of text in which rows are compared: deduplication, decontamination and splits share it.

Unicode NFKC, lower case, invisible format characters removed, each run of punctuation and white space one
space, none at the ends. Letters, marks, digits and symbols (`+`, `$`, emoji) of every script stay.
Normalising twice changes nothing.

Source: Unicode Standard Annex 15 (normalisation forms). Deviation: lower case instead of full case folding,
so `ß` stays `ß`; case folding would lengthen words and no comparison here needs it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from types import ModuleType

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zhiling.text.buffers import Utf8, blocks, offsets_of, series, utf8
from zhiling.text.characters import IGNORED_PATTERN, SPACE, byte_classes, class_of_code_point
from zhiling.text.compiled import kernels

_SLICE_ROWS = 1 << 14
_SPACE_BYTE = np.uint8(0x20)
_DROPPED_BYTE = np.uint8(0xFF)  # never stands in UTF-8
_LOWER = bytes(range(256)).lower()


def normalise(text: pl.Series) -> pl.Series:
    """The normal form of each row, same height and name; a null stays null.

    Example: `normalise(pl.Series(["Ｈｅｌｌｏ,  World!"]))` holds `hello world`.
    """
    result = series(list(normal_form(text)), text.name)
    if text.null_count():
        result = pl.select(pl.when(text.is_not_null()).then(result).alias(text.name)).to_series()
    return result


def normal_form(text: pl.Series) -> Iterator[Utf8]:
    """The normal form of the rows as bytes, block by block; that of a null is empty."""
    fast = kernels(int(text.estimated_size()))
    # Slices of the column keep what is in between (three copies of the text) small.
    for start in range(0, len(text), _SLICE_ROWS):
        part = text.slice(start, _SLICE_ROWS)
        if fast is None:
            yield from _form(part)
            continue
        made = _plain_form(part, fast)
        yield Utf8(made.data[: made.offsets[-1]], made.offsets)


def normalise_text(text: str) -> str:
    """The normal form of one text: by construction what `normalise` gives for a row."""
    return normalise(pl.Series([text], dtype=pl.String))[0]


def _form(text: pl.Series) -> Iterator[Utf8]:
    """The normal form of some rows, by blocks."""
    return map(_collapse, blocks(utf8(_folded(text))))


def token_form(text: pl.Series, fast: ModuleType) -> Iterator[Utf8]:
    """The rows as compiled `windows` takes them, block by block, with the bytes behind them that it wants.

    As `normal_form`, but rows of ASCII stay as they are.
    """
    for start in range(0, len(text), _SLICE_ROWS):
        yield _plain_form(text.slice(start, _SLICE_ROWS), fast, as_is=True)


def _plain_form(text: pl.Series, fast: ModuleType, *, as_is: bool = False) -> Utf8:
    """The same by compiled code: one pass where each character folds by itself; the other rows once more."""
    made, deep = _collapsed(utf8(text), fast, as_is=as_is)
    if not deep.size:
        return made
    again, _ = _collapsed(utf8(_fold_unicode(text.gather(deep).fill_null(""))), fast)
    return _replaced(made, deep, again)


def _collapsed(rows: Utf8, fast: ModuleType, *, as_is: bool = False) -> tuple[Utf8, NDArray[np.int64]]:
    """What one pass makes of the rows, and which of them need a deeper fold."""
    out = np.empty(len(rows.data) + fast.SLACK_BYTES, dtype=np.uint8)
    ends, deep = fast.collapse(
        rows.data, rows.offsets, _plain_characters(), class_of_code_point(), as_is, out
    )  # fmt: skip
    return Utf8(out[: ends[-1] + fast.SLACK_BYTES], ends), np.flatnonzero(deep)


def _replaced(rows: Utf8, places: NDArray[np.int64], others: Utf8) -> Utf8:
    """The rows with the others in the given places (ascending), and what stands behind the last one."""
    sizes = np.diff(rows.offsets)
    sizes[places] = np.diff(others.offsets)
    pieces: list[NDArray[np.uint8]] = []
    done = 0
    for number, place in enumerate(places.tolist()):
        pieces.append(rows.data[done : rows.offsets[place]])
        pieces.append(others.data[others.offsets[number] : others.offsets[number + 1]])
        done = rows.offsets[place + 1]
    return Utf8(np.concatenate([*pieces, rows.data[done:]]), offsets_of(sizes))


@cache
def _plain_characters() -> NDArray[np.int32]:
    """What each code point becomes where its neighbours do not matter; 0x20 for all separators.

    Marks, jamo that join into syllables, sigma (whose lower case depends on its place), what folds into
    several characters and what grows by it are DEEP. Shape (0x40001,), int32.
    """
    from zhiling.text import kernels

    # Han and Hangul syllables stand for themselves; to fold them here would take as long as all the rest.
    themselves = np.r_[0x3400:0x4DC0, 0x4E00:0x9FFD, 0xAC00:0xD7A4]
    points = np.r_[0:0x3400, 0x4DC0:0x4E00, 0x9FFD:0xAC00, 0xD7A4:0xD800, 0xE000:0x10000, 0x1F000:0x20000]
    letters = pl.Series([chr(point) for point in points.tolist()])
    folded = _fold_unicode(letters)
    last = series([_collapse(utf8(folded))], "")
    longer = (folded.str.len_chars() > 1) | (folded.str.len_bytes() > letters.str.len_bytes())
    deep = folded.str.contains(r"[\p{M}\x{1100}-\x{11FF}\x{D7B0}-\x{D7FF}]") | longer & (last != "")
    deep |= (folded == "σ") & (letters != "σ")
    first = "".join((last + " ").str.head(1)).encode("utf-32-le")
    values = np.frombuffer(first, dtype="<i4").copy()
    values[(folded == "").to_numpy()] = kernels.DROPPED
    table = np.full(0x40001, kernels.DEEP, dtype=np.int32)
    table[themselves] = themselves
    table[points] = np.where(deep.to_numpy(), kernels.DEEP, values)
    return table


def _folded(text: pl.Series) -> pl.Series:
    """NFKC, lower case, without format characters, in rows beyond ASCII; others as they are."""
    deep = (text.str.len_bytes() != text.str.len_chars()).fill_null(value=False)
    if not deep.any():
        return text
    return text.scatter(deep.arg_true(), _fold_unicode(text.filter(deep)))


def _fold_unicode(text: pl.Series) -> pl.Series:
    folded = text.str.replace_all(IGNORED_PATTERN, "").str.normalize("NFKC").str.to_lowercase()
    # Lower case can undo NFKC, but only around combining marks (dotted I; T + diaeresis has no capital, so it
    # composes only now). A second NFKC of every row would cost as much as all the rest of this module.
    marked = folded.str.contains(r"\p{M}")
    if not marked.any():
        return folded
    return folded.scatter(marked.arg_true(), folded.filter(marked).str.normalize("NFKC"))


def _collapse(part: Utf8) -> Utf8:
    """ASCII in lower case; each run of separators becomes one space, none at a row's ends."""
    data, offsets = part.data, part.offsets
    separator = byte_classes(data) == SPACE
    # A space is written in place of the last byte of a run that has text before and after it in its row.
    gap = np.zeros(len(data), dtype=np.bool_)
    gap[:-1] = separator[:-1] & ~separator[1:]
    starts = offsets[:-1][np.diff(offsets) > 0]
    leading = starts[separator[starts]]
    if leading.size:
        runs = np.append(np.flatnonzero(gap), len(data) - 1)
        gap[runs[np.searchsorted(runs, leading)]] = False
    gap[starts[starts > 0] - 1] = False
    dropped = separator & ~gap
    # Separators become 0xFF and then, in a gap, 0x20. bytes.translate lowers ASCII and deletes the rest in
    # one loop, three times as fast as a boolean index.
    marked = (data | separator * _DROPPED_BYTE) & ~(gap * (_DROPPED_BYTE ^ _SPACE_BYTE))
    out = np.frombuffer(marked.tobytes().translate(_LOWER, bytes([_DROPPED_BYTE])), dtype=np.uint8)
    return Utf8(out, offsets - np.searchsorted(np.flatnonzero(dropped), offsets))
