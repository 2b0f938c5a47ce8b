"""Trains the tagger of names and addresses and writes src/zhiling/curation/names_tagger.npz (under 200 KB).

    python tools/train_names_tagger.py

Everything that it learns from is made here, from name parts (`name_words.toml`) and sentences
(`name_templates.toml`) of our own: half of the Latin names are put together from syllables, so that the model
reads shape and surroundings instead of a list. The same seed gives the same sentences.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.linear_model import SGDClassifier

from zhiling.curation.names_tagger import _TOKEN, BUCKETS, MODEL, TAGS, name_words, token_features

HOME = Path(__file__).resolve().parents[1] / "src" / "zhiling" / "curation"
SENTENCES, SEED = 8_000, 11
SLOT = re.compile(r"\{(\w+)\}")
LOWER, UPPER, JOINED = 0.06, 0.06, 0.5
"""Share of sentences in small letters and in capitals, and of those that a second one follows."""
PERSON, ADDRESS = 1, 3
Piece = tuple[str, int]
"""A text and the tag that it begins with (0: none)."""


class Writer:
    """Fills the slots of sentences."""

    def __init__(self, draws: np.random.Generator) -> None:
        self.draws, self.words = draws, name_words()
        self.templates = tomllib.loads((HOME / "name_templates.toml").read_text(encoding="utf-8"))

    def one(self, entries: Any) -> str:
        """One of the entries."""
        return str(entries[int(self.draws.integers(len(entries)))])

    def chance(self, share: float) -> bool:
        """True in this share of cases."""
        return bool(self.draws.random() < share)

    def digits(self, most: int = 5) -> str:
        """A number of one to `most` digits."""
        return str(int(self.draws.integers(1, 10 ** int(self.draws.integers(1, most + 1)))))

    def sentence(self, language: str) -> list[Piece]:
        """The pieces of one sentence."""
        pieces: list[Piece] = []
        text = self.one(self.templates[language]["sentences"])
        done = 0
        for match in SLOT.finditer(text):
            pieces += [(text[done : match.start()], 0), self.slot(match[1], language)]
            done = match.end()
        return [*pieces, (text[done:], 0)]

    def slot(self, name: str, language: str) -> Piece:
        """What stands in a slot."""
        if language == "zh":
            return self.chinese(name)
        english = self.words["en"]
        if name in {"person", "first", "last", "titled"}:
            return self.english_name(name), PERSON
        if name == "address":
            return self.english_address(), ADDRESS
        if name == "org":
            stem = self.one(english["org"]) if self.chance(0.5) else self.made_up(english)
            return stem + (" " + self.one(english["org_kind"]) if self.chance(0.7) else ""), 0
        if name == "made":
            return self.made_up(english), 0
        return (self.digits() if name == "n" else self.one(english[name])), 0

    def made_up(self, english: dict[str, Any]) -> str:
        """A Latin word from syllables."""
        syllables = "".join(self.one(english["syllables"]) for _ in range(int(self.draws.integers(1, 3))))
        word = (syllables + self.one(english["endings"])).capitalize()
        accents = {
            "a": "áàâäåã",
            "e": "éèêë",
            "i": "íî",
            "o": "óöøô",
            "u": "úüů",
            "s": "šś",
            "c": "čç",
            "z": "žż",
        }
        if self.chance(0.15):
            letter = self.one(list(accents))
            word = word.replace(letter, self.one(accents[letter]), 1)
        return word

    def english_name(self, kind: str) -> str:
        """A full name, a first, a last, or one with a title."""
        english = self.words["en"]
        first = self.one(english["first"]) if self.chance(0.5) else self.made_up(english)
        last = self.one(english["last"]) if self.chance(0.5) else self.made_up(english)
        if self.chance(0.05):
            last = f"{last}-{self.made_up(english)}"
        if kind == "first":
            return first
        if kind == "last" or (kind == "person" and self.chance(0.08)):
            return last
        if kind == "titled":
            return f"{first} {last}" if self.chance(0.3) else last
        middle = f" {chr(65 + int(self.draws.integers(26)))}." if self.chance(0.12) else ""
        return f"{first}{middle} {last}"

    def english_address(self) -> str:
        """A street with a number, often with flat, town, region and code, over one line or several."""
        english = self.words["en"]
        number, stem = (
            self.digits(5),
            (self.one(english["street"]) if self.chance(0.5) else self.made_up(english)),
        )
        form = self.draws.random()
        if form < 0.65:
            street = f"{number} {stem} {self.one(english['kind'])}"
        elif form < 0.8:
            street = f"{self.one(english['kind_before'])} {stem} {number}"
        elif form < 0.92:
            street = f"{stem}{self.one(english['kind_suffix'])} {number}"
        else:
            street = f"{number} {stem} {self.digits(3)}"
        unit = self.one(english["unit"]).replace("{n}", self.digits(3))
        town = self.one(english["city"]) if self.chance(0.4) else self.made_up(english)
        parts = [street]
        parts += [unit] if self.chance(0.4) else []
        parts += [town] if self.chance(0.75) else []
        if len(parts) > 1 and self.chance(0.7):
            parts[-1] += f" {self.one(english['region'])}" if self.chance(0.5) else ""
            parts[-1] += f" {int(self.draws.integers(1000, 99999))}"
        return self.one([", ", "\n", "\n ", " "]).join(parts)

    def chinese(self, name: str) -> Piece:
        """What stands in a slot of a Chinese sentence."""
        chinese = self.words["zh"]
        if name == "person" and self.chance(0.15):
            stem = [
                "".join(self.one(chinese["foreign"]) for _ in range(int(self.draws.integers(2, 5))))
                for _ in "ab"
            ]
            return ("·".join(stem) if self.chance(0.4) else stem[0]), PERSON
        if name == "person":
            surname = (
                self.one(chinese["surnames_long"]) if self.chance(0.05) else self.one(chinese["surname"])
            )
            return surname + "".join(self.one(chinese["given"]) for _ in range(1 + self.chance(0.7))), PERSON
        if name == "address":
            return self.chinese_address(chinese), ADDRESS
        return (self.digits(3) if name == "n" else self.one(chinese[name])), 0

    def chinese_address(self, chinese: dict[str, Any]) -> str:
        """Province to room, from the road on at least."""
        head = "".join(
            self.one(chinese[part]) for part in ("province", "city", "district") if self.chance(0.6)
        )
        road = (
            self.one(chinese["road"])
            + self.one(chinese["road_kind"])
            + self.digits(3)
            + self.one(["号", "弄", "号院"])
        )
        estate = self.one(chinese["estate"]) if self.chance(0.5) else ""
        house = f"{self.digits(2)}{self.one(['栋', '号楼', '幢', '座'])}" if self.chance(0.5) else ""
        room = f"{self.digits(2)}{self.one(['单元', '层'])}{self.digits(4)}室" if self.chance(0.3) else ""
        return head + (road if self.chance(0.85) or not estate else "") + estate + house + room


def example(writer: Writer, language: str) -> tuple[str, np.ndarray, np.ndarray]:
    """A text, the features of its tokens and their tags."""
    pieces = writer.sentence(language)
    if writer.chance(JOINED):
        gap = " " if language == "en" and writer.chance(0.6) else ("\n" if language == "en" else "")
        pieces = [*pieces, (gap, 0), *writer.sentence(language)]
    change = writer.draws.random()
    if language == "en" and change < LOWER + UPPER:
        pieces = [(text.lower() if change < LOWER else text.upper(), tag) for text, tag in pieces]
    text = "".join(piece for piece, _ in pieces)
    begins: list[tuple[int, int, int]] = []
    at = 0
    for piece, tag in pieces:
        begins.append((at, at + len(piece), tag))
        at += len(piece)
    places = [match.span() for match in _TOKEN.finditer(text)]
    tags = [tag_of(place, begins) for place in places]
    return text, token_features(text, places), np.array(tags)


def tag_of(place: tuple[int, int], pieces: list[tuple[int, int, int]]) -> int:
    """The tag of a token that lies in these pieces."""
    for start, end, tag in pieces:
        if tag and start <= place[0] < end:
            return tag if place[0] == start else tag + 1
    return 0


def main() -> None:
    """Writes the model."""
    writer = Writer(np.random.default_rng(SEED))
    made = [example(writer, language) for language in ("en", "zh") for _ in range(SENTENCES)]
    features, tags = (np.concatenate([each[part] for each in made]) for part in (1, 2))
    held = np.arange(0, features.size + 1, features.shape[1])
    matrix = csr_matrix((np.ones(features.size, np.float32), features.ravel(), held), (len(tags), BUCKETS))
    model = SGDClassifier(loss="log_loss", alpha=3e-6, max_iter=12, tol=None, random_state=SEED, average=True)
    model.fit(matrix, tags)
    weights = model.coef_.T
    scale = np.float32(np.abs(weights).max() / 127)
    np.savez_compressed(
        HOME / MODEL,
        weights=np.rint(weights / scale).astype(np.int8),
        scale=scale,
        bias=model.intercept_.astype(np.float32),
    )
    size_kb = (HOME / MODEL).stat().st_size // 1024
    print(f"{len(tags)} tokens, {len(TAGS)} tags, {size_kb} KB, fits {model.score(matrix, tags):.4f}")


if __name__ == "__main__":
    main()
