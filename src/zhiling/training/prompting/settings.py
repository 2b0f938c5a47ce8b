"""How a task is answered without tuning anything, as a section of a recipe; needs no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from zhiling.llm.location import located

Choose = Literal["nearest", "random", "fixed"]


class PromptSettings(BaseModel):
    """Zero-shot over the encoder, unless more is asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str | None = Field(
        default=None,
        description="A causal language model (a folder, or package:NAME/folder): labels, options and numbers "
        "by their likelihood, entities, facts and answers written by it. Unset: the encoder, by nearness.",
    )
    encoder: dict[str, Any] | None = Field(
        default=None, description="As the recipe's `encoder`; unset: the backbone, else hashed n-grams."
    )
    shots: int = Field(default=0, ge=0, description="How many demonstrations each input gets; 0: zero-shot.")
    choose: Choose = Field(
        default="nearest",
        description="Which training rows demonstrate: those nearest to the input by the encoder, others at "
        "random for each input, or those of `fixed`.",
    )
    fixed: tuple[str, ...] = Field(default=(), description="With choose: fixed, ids of training rows.")
    calibrate: bool = Field(
        default=False,
        description="Divide what is said of an input by what is said of inputs without content (contextual "
        "calibration).",
    )
    label_names: str | None = Field(
        default=None, description="YAML file: label → names and definitions per language (the verbaliser)."
    )
    definitions: bool = Field(
        default=False, description="Over an encoder: a label's definitions count as further names of it."
    )
    wording: str | None = Field(
        default=None,
        description="With a model: id of the wording, such as `pick`; unset: the first of the task that "
        "shows all messages.",
    )
    own_wordings: tuple[str, ...] = Field(default=(), description="Files of wordings of your own.")
    language: Literal["en", "zh"] | None = Field(
        default=None, description="Language of the prompt; unset: of each input, by its letters."
    )
    max_tokens: int | None = Field(
        default=None, ge=16, description="Longest prompt with its reply; unset: what the model takes."
    )
    max_new_tokens: int = Field(default=128, ge=1, description="Longest reply that the model may write.")
    device: Literal["cpu", "cuda"] = Field(default="cpu", description="Where the language model runs.")
    dtype: Literal["float32", "bfloat16"] = Field(default="float32", description="Its numbers.")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.choose == "fixed") != bool(self.fixed):
            raise ValueError(
                f"choose={self.choose!r} with fixed={list(self.fixed)!r}: `choose: fixed` and ids in `fixed` "
                "go together"
            )
        if self.choose == "fixed" and self.shots not in (0, len(self.fixed)):
            raise ValueError(f"shots={self.shots}, but {len(self.fixed)} fixed demonstrations are named")
        needless = self.wording or self.own_wordings or self.language
        if self.model is None and needless:
            raise ValueError(f"{needless!r} words a prompt, and an encoder reads none; name a `model`")
        return self

    @property
    def demonstrations(self) -> int:
        """How many demonstrations each input gets."""
        return len(self.fixed) or self.shots

    def files(self) -> list[str]:
        """Files that it reads, relative to the recipe."""
        return [*([self.label_names] if self.label_names else []), *self.own_wordings]

    def located(self, root: Path) -> Self:
        """The settings with all files and folders found from the recipe's."""
        return self.model_copy(
            update={
                "model": _located(self.model, root),
                "label_names": _located(self.label_names, root),
                "own_wordings": tuple(str(root / each) for each in self.own_wordings),
                "encoder": self.encoder
                and {
                    key: _located(value, root) if key == "path" else value
                    for key, value in self.encoder.items()
                },
            }
        )


def _located(path: Any, root: Path) -> Any:
    return located(path, root) if isinstance(path, str) else path
