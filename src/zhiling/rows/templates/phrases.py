"""Words that all prompts of a language share: captions, speakers, languages, constraints, fixed sentences."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from zhiling.rows import target

Language = Literal["en", "zh"]


class Phrases(BaseModel):
    """One language's words; see `phrases.yaml`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    after: str
    pause: str
    captions: dict[str, str]
    speakers: dict[str, str]
    languages: dict[str, str]
    constraints: dict[str, str]
    occurrence: str
    occurrence_json: str
    explain: str
    examples: str
    cue: str

    def caption(self, name: str) -> str:
        """What stands in front of a field; an unknown one by its own name."""
        return self.captions.get(name) or name.replace("_", " ").capitalize()

    def speaker(self, role: str) -> str:
        """Who says a turn."""
        return self.speakers.get(role, role)

    def spoken(self, tag: str) -> str:
        """The name of a language (BCP-47)."""
        return self.languages.get(tag) or self.languages.get(tag.partition("-")[0]) or tag

    def constraint(self, one: target.Constraint) -> str:
        """A constraint in words."""
        low, high = one.at_least, one.at_most
        bounds = "" if low is None and high is None else "_between"
        if bounds and (low is None or high is None):
            bounds = "_at_most" if low is None else "_at_least"
        elif bounds and low == high:
            bounds = "_exactly"
        values = self.pause.join(map(self.spoken, one.values) if one.kind == "language" else one.values)
        pattern = self.constraints.get(one.kind + bounds) or self.constraints["other" + bounds]
        return pattern.format(kind=one.kind, values=values, low=low, high=high).strip()


@cache
def phrases(language: Language) -> Phrases:
    """The words of a language."""
    return Phrases(
        **read_yaml(resources.files("zhiling.rows.templates").joinpath("phrases.yaml").read_text("utf-8"))[
            language
        ]
    )


def read_yaml(text: str) -> Any:
    """A YAML document as plain values."""
    from ruamel.yaml import YAML

    yaml: Any = YAML(typ="safe", pure=True)
    return yaml.load(text)
