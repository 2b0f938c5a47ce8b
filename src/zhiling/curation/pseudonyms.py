"""Invented names that stand for real ones: the same value gets the same name, and nothing leads back."""

from __future__ import annotations

from collections.abc import Collection
from hashlib import blake2b
from itertools import count

from zhiling.curation.names_tagger import name_words


def pseudonym(value: str, seed: int, taken: Collection[str] = ()) -> str:
    """An invented name in the script of the value; never the value itself or one that is taken.

    Made of name parts by a keyed hash of the value: equal for equal value and seed in every row and run, and
    no table of real names is kept. Example: some `Clara Novak` for `J. Doe`, some three characters for 张伟.
    """
    words = name_words()
    for attempt in count():
        key = f"{seed}\0{attempt}\0{value.casefold()}".encode()
        number = int.from_bytes(blake2b(key, digest_size=8).digest(), "little")
        if any("\u3400" <= sign <= "\u9fff" for sign in value):
            chinese = words["zh"]
            given, rest = chinese["given"], number // len(chinese["surname"])
            name = chinese["surname"][number % len(chinese["surname"])] + given[rest % len(given)]
            name += given[rest // len(given) % len(given)]
        else:
            first, last = words["en"]["first"], words["en"]["last"]
            name = f"{first[number % len(first)]} {last[number // len(first) % len(last)]}"
        if name.casefold() != value.casefold() and name not in taken:
            return name
    raise AssertionError("count() never ends")
