"""What every step that asks a role of the recipe has in common: prompts by language, replies in JSON."""

from __future__ import annotations

import glob
import math
import re
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from zhiling.errors import did_you_mean
from zhiling.llm.prompt import Prompt
from zhiling.llm.reply import Reply
from zhiling.llm.verdict import Accept, Ask, Complaint, json_of
from zhiling.llm.wire import ChatRequest, JsonReply, Sampling
from zhiling.pipeline.step import Context, Step
from zhiling.text.scripts import SCRIPTS, letter_counts

SHIPPED = ("en", "zh")
"""Languages that every prompt is shipped in."""
_CHINESE = ("zh", "cmn", "yue", "wuu")
_LANGUAGE = 90  # draw
_HAN = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_LATIN = re.compile("[A-Za-z\u00aa\u00ba\u00c0-\u024f\u1e00-\u1eff]")


class Said(BaseModel):
    """A reply in JSON: fields of these names and no others, as strict servers demand."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


Answer = TypeVar("Answer", bound=Said)


class Asks(Step):
    """A step that asks a role of the recipe's `models`.

    Prompts are files, `NAME.LANGUAGE.jinja`, part of the step's key by their contents.
    """

    prompt_folder: ClassVar[Path]
    prompt_folders: ClassVar[Mapping[str, Path]] = {}  # of prompts that stand elsewhere
    prompts: ClassVar[Mapping[str, tuple[str, ...]]]  # name of a prompt → the variables that it must use

    model: str = Field("teacher", min_length=1, description="role of the recipe's `models` that is asked")
    languages: dict[str, float] = Field(
        default_factory=dict,
        description="language → share of the inputs; none given: each input's own, else English",
        examples=[{"en": 1.0}],
    )
    own_prompts: dict[str, str] = Field(
        default_factory=dict,
        description="prompt files of your own: NAME.LANGUAGE → path; `zhiling steps` tells the names",
    )
    temperature: float | None = Field(None, ge=0, le=2, description="how freely is drawn; null: the server's")
    max_tokens: int = Field(1024, ge=1, description="longest reply; one that is longer is a failure")

    @field_validator("languages")
    @classmethod
    def _shares(cls, languages: dict[str, float]) -> dict[str, float]:
        if any(not math.isfinite(share) or share <= 0 for share in languages.values()):
            raise ValueError("shares are numbers above 0")
        return languages

    @model_validator(mode="after")
    def _every_prompt_is_there(self) -> Asks:
        for key in self.own_prompts:
            name, _, language = key.partition(".")
            if name not in self.prompts or not language:
                known = [f"{each}.en" for each in self.prompts]
                raise ValueError(f"own_prompts names {key!r}; {did_you_mean(key, known)}")
        for language in self.languages:
            lacking = [name for name in self.prompts if language not in self._spoken(name)]
            if lacking:
                wanted = f"{lacking[0]}.{language}"
                raise ValueError(f"no prompt in {language!r}: name a file of it in own_prompts as {wanted!r}")
        return self

    def _spoken(self, name: str) -> list[str]:
        return [*SHIPPED, *(key.partition(".")[2] for key in self.own_prompts if key.startswith(f"{name}."))]

    def _heard(self) -> list[str]:
        """Languages that every prompt is there in."""
        spoken = [self._spoken(name) for name in self.prompts]
        return [each for each in dict.fromkeys(spoken[0]) if all(each in others for others in spoken)]

    def roles(self) -> tuple[str, ...]:
        """The role that is asked."""
        return (self.model,)

    def files(self) -> tuple[str, ...]:
        """The prompts, those of your own in the place of ours."""
        spoken = sorted({*(self.languages or SHIPPED), *(key.partition(".")[2] for key in self.own_prompts)})
        return tuple(self._file(name, language) for name in self.prompts for language in spoken)

    def _file(self, name: str, language: str) -> str:
        own = self.own_prompts.get(f"{name}.{language}")
        return own or glob.escape(str(self._shipped(name, language)))

    def _shipped(self, name: str, language: str) -> Path:
        return self.prompt_folders.get(name, self.prompt_folder) / f"{name}.{language}.jinja"

    def prompt(self, name: str, language: str, root: Path) -> Prompt:
        """A prompt, read once a process."""
        own = self.own_prompts.get(f"{name}.{language}")
        path = root / own if own else self._shipped(name, language)
        return _prompt(path, path.stat().st_mtime_ns if path.exists() else 0, self.prompts[name])

    def read_prompts(self, root: Path) -> None:
        """Reads every prompt that may be needed.

        Raises:
            MissingInput: one that is not there.
            UsageError: one with a variable that nobody knows, or without one that it needs.
        """
        for name in self.prompts:
            for language in self.languages or self._spoken(name):
                self.prompt(name, language, root)

    @abstractmethod
    def first_asks(self, rows: pl.DataFrame, context: Context) -> list[Ask]:
        """What the step asks first about these rows, for an estimate: nothing is sent."""

    def later_calls(self) -> Mapping[str, float]:
        """Role → calls for each reply to `first_asks`, at most: what a step asks about what it was told."""
        return {}

    def request(self, name: str, language: str, root: Path, values: Mapping[str, Any],
                reply: type[Said] | None = None) -> ChatRequest:  # fmt: skip
        """The request that a prompt makes of these values; its reply is JSON of the model `reply`."""
        messages = self.prompt(name, language, root).messages(values)
        sampling = Sampling(temperature=self.temperature, max_tokens=self.max_tokens)
        return ChatRequest(messages, sampling, None if reply is None else _form(reply))

    def languages_of(self, rows: pl.DataFrame, texts: pl.Series, context: Context) -> list[str]:
        """The language in which each row is asked: drawn by `languages`, else the row's own."""
        if not self.languages:
            return _own(rows, texts, [each for each in self._heard() if each not in SHIPPED])
        names, total = list(self.languages), sum(self.languages.values())
        bounds = [sum(list(self.languages.values())[: place + 1]) / total for place in range(len(names))]
        drawn = context.uniform(rows["id"], _LANGUAGE).tolist()
        return [
            next((name for name, bound in zip(names, bounds, strict=True) if draw < bound), names[-1])
            for draw in drawn
        ]


@lru_cache(maxsize=256)
def _prompt(path: Path, _changed_ns: int, needed: tuple[str, ...]) -> Prompt:
    return Prompt(path, needed)


@lru_cache(maxsize=64)
def _form(reply: type[Said]) -> JsonReply:
    return JsonReply(_bare(reply.model_json_schema()), reply.__name__.lower())


def _bare(schema: Any) -> Any:
    """The schema without titles and docstrings: prompts say it better, and no key may hang on a comment."""
    if isinstance(schema, list):
        return [_bare(each) for each in cast(list[Any], schema)]
    if not isinstance(schema, dict):
        return schema
    told = cast(dict[str, Any], schema).items()
    return {
        name: _bare(value)
        for name, value in told
        if not (name in ("title", "description") and isinstance(value, str))
    }


def _own(rows: pl.DataFrame, texts: pl.Series, others: Sequence[str]) -> list[str]:
    """The language of each row as it says, else as its script tells; where there is no prompt, English."""
    counts = letter_counts(texts)
    han = counts[:, SCRIPTS.index("han")] > counts.sum(axis=1) / 4
    tags = rows["language"].to_list() if "language" in rows.columns else [None] * rows.height
    return [
        _prompted(tag.partition("-")[0].lower(), others) if tag else ("zh" if chinese else "en")
        for tag, chinese in zip(tags, han.tolist(), strict=True)
    ]


def _prompted(language: str, others: Sequence[str]) -> str:
    return language if language in others else "zh" if language in _CHINESE else "en"


def accepts(model: type[Answer], check: Callable[[Answer], Complaint | None] | None = None) -> Accept:
    """An `Ask.accept`: the reply is JSON of this model, and nothing is wrong with what it says."""

    def accept(value: Any) -> Complaint | str | None:
        try:
            said = model.model_validate(value)
        except ValidationError as error:
            first = error.errors()[0]
            return f"{'.'.join(map(str, first['loc'])) or 'the reply'}: {first['msg']}"
        return check(said) if check else None

    return accept


def said(model: type[Answer], reply: Reply) -> Answer:
    """What an accepted reply says."""
    return model.model_validate(json_of(reply.text))


def in_language(text: str, language: str) -> bool:
    """Whether a text is written in the script of Chinese or English; of other languages nothing is known.

    Looked at for every reply while others are on their way, so by a pattern: columns cost a hundred times as
    much for one text.
    """
    letters = sum(map(str.isalpha, text))
    han, latin = len(_HAN.findall(text)), len(_LATIN.findall(text))
    if language.partition("-")[0] in _CHINESE:
        # names and terms may be Latin, not all of it
        return 2 * han >= letters - latin and (han > 0 or not latin)
    return language.partition("-")[0] != "en" or 2 * latin >= letters
