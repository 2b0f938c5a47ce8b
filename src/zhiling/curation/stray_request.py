"""Requests that stand in a document like a foreign body: to someone who can answer, about something else."""

from __future__ import annotations

import re

import numpy as np
import polars as pl

from zhiling.curation.phrases import phrases

_FILE = "request_words.toml"
_CELLS = r"\|[^|]*\|"
_COMPLETE = r"(?s)^(?:\S+\s+){2}\S+.*[.?;)\"”’'`…]\s*$|\p{Han}.{3,}[^:：!！]\s*$|[:：].+[!！]\s*$"
"""Three words and an end mark, or five signs of Chinese: no heading, no advertisement, no introduction."""
_HOST = r"(?i)^[^:：\"“‘「]*?(?:(?-u:\b)(?:we|us|our|ours)(?-u:\b)|我们|本店|本公司)"
"""Whoever wrote the document speaks here, not a text that is quoted or to be translated."""
_ITEM = r"^\s*(?:[*+•-]|\d+[.)])\s"
"""One entry of a list."""
_EDGES = " \t*#>-•\"'“‘"
_WORD = re.compile(r"[a-z]{4,}|\d{3,}")
_TITLE_WORD = re.compile(
    r"(?<![A-Za-z'’])(?!(?:an?|the|and|or|but|nor|for|of|in|on|at|to|by|as|with|from|into|over)(?![A-Za-z]))"
    r"[A-Za-z][A-Za-z'’]*"
)
_HAN = re.compile(r"[\u3400-\u9fff]+")
MOST_CHARACTERS = 400
"""A longer line is none: it is prose."""
LEAST_WORDS = 8
"""A document with fewer words beside the request is no document."""
LEAST_OWN = 2
"""A request with fewer words of its own (`Does this work?`) says nothing about where it belongs."""
MOST_REQUESTS = 2
"""A document with more of them is a recipe, a manual, a list of questions."""
MOST_SHARED = 0.2
"""Share of a request's words that may occur in the rest of its document."""


def stray_requests(texts: pl.Series, documents: pl.Series) -> pl.Series:
    """Which of these texts are documents that hold a request without a word in common with the rest.

    A request is a line that begins with a verb that asks for a piece of writing, knowledge or code, or with
    a question word, in English or Chinese. A heading of a page of questions and answers shares words with its
    answer; a request that was planted from outside does not. Cells of tables (lines with two bars) are left
    out, titles of songs and books read like requests, and so are documents with three requests or more.
    """
    found = np.zeros(len(texts), dtype=np.bool_)
    places = documents.arg_true()
    lines = texts.gather(places).str.split("\n")
    line = pl.col("line")
    asks = (
        pl.DataFrame({"place": places, "line": lines})
        .explode("line")
        .filter(~line.str.contains(_CELLS) & ~_in_list(line))
        .with_columns(line.str.strip_chars(_EDGES))
        .filter(
            line.str.len_chars() <= MOST_CHARACTERS,
            line.str.contains(_COMPLETE),
            line.str.contains(phrases(_FILE)["request"]),
            ~line.str.contains(_HOST),
        )
    )
    few = asks.unique(maintain_order=True).filter(pl.len().over("place") <= MOST_REQUESTS)
    for place, request in few.iter_rows():
        found[place] = found[place] or is_foreign(request, texts[place])
    return pl.Series(found)


def _in_list(line: pl.Expr) -> pl.Expr:
    """Whether a line is an entry of a list with more than one."""
    item = line.str.contains(_ITEM)
    return item & (item.shift(1).over("place") | item.shift(-1).over("place")).fill_null(value=False)


def is_foreign(request: str, document: str) -> bool:
    """Whether at most a fifth of the words of a request occur in the rest of the document that holds it."""
    rest = content_words(document.replace(request, "\n"))
    own = content_words(request)
    if len(own) < LEAST_OWN or len(rest) < LEAST_WORDS or is_heading(request):
        return False
    return len(own & rest) <= MOST_SHARED * len(own)


def is_heading(request: str) -> bool:
    """Whether all words but articles and the like begin with a capital: `What Makes a Good Site?`."""
    words = _TITLE_WORD.findall(request)
    return len(words) > LEAST_OWN and all(word[0].isupper() for word in words)


def content_words(text: str) -> set[str]:
    """English words of four letters and more (their first six), long numbers, pairs of Chinese signs."""
    words = {word[:6] for word in _WORD.findall(text.lower()) if not _is_function_word(word)}
    for run in _HAN.findall(text):
        words.update(run[at : at + 2] for at in range(len(run) - 1))
    return words


_FUNCTION_WORDS = re.compile(
    r"(?:a(?:bout|lso|ny|fter)|been|both|could|does|each|ever|every|following|from|have|here|into|just|like|many"
    r"|more|most|much|only|other|over|please|some|such|than|that|their|them|then|there|these|they|this|those"
    r"|using|very|want|were|what|when|where|which|while|will|with|would|your|explain|describe|write|give"
    r"|provide|make|tell|show)"
)


def _is_function_word(word: str) -> bool:
    return _FUNCTION_WORDS.fullmatch(word) is not None
