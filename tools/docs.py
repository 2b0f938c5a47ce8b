"""Writes the reference pages that are made from code: command line, recipe, steps.

python tools/docs.py            # writes docs/reference/{cli,recipe,steps,routes}.md
python tools/docs.py --check    # exit 1 where a page on disk differs
"""

from __future__ import annotations

import inspect
import re
import sys
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from zhiling.pipeline import registry
from zhiling.workflow.error_rates import NO_TRUTH

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "docs" / "reference"
GENERATED = (
    "<!-- Made by `make docs` from the code: edit the docstrings and settings there, not this page. -->"
)
COMPONENTS = ("source", "encoder", "gate", "format", "task", "method", "metric")
ATTRIBUTES = re.compile(r"(?ms)^Attributes:\n(.*?)(?=^\S|\Z)")
KEYS = {"gate": "check", "format": "format", "task": "task", "method": "method", "metric": "metrics"}


def pages() -> dict[Path, str]:
    """Each generated page with its text."""
    return {
        REFERENCE / "cli.md": "\n".join(command_line()),
        REFERENCE / "recipe.md": "\n".join(recipe()),
        REFERENCE / "steps.md": "\n".join(steps()),
        REFERENCE / "routes.md": "\n".join(routes()),
    }


def command_line() -> Iterator[str]:
    """The page of all verbs with their arguments and options."""
    from zhiling.cli.main import app

    yield from (
        "# Command line",
        "",
        GENERATED,
        "",
        "`zhiling VERB -h` shows the same. Exit codes: [json.md](json.md).",
    )
    for name, command in verbs(typer.main.get_command(app)):
        arguments = [each for each in command.params if each.param_type_name == "argument"]
        words = " ".join(
            each.name.upper() if each.required else f"[{each.name.upper()}]" for each in arguments
        )
        yield from (
            "",
            f"## zhiling {name}",
            "",
            f"    zhiling {' '.join(filter(None, (name, words, '[OPTIONS]')))}",
            "",
        )
        yield prose(command.help or "")
        rows = [
            (parameter_name(each), default(each), each.help or "")
            for each in command.params
            if each.name != "help"
        ]
        if rows:
            yield from ("", *table(("parameter", "default", "meaning"), rows))
    yield ""


def verbs(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Every verb with its name; one of a group with that of the group in front."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from verbs(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", command


def parameter_name(parameter: Any) -> str:
    """An argument's name, or all spellings of an option."""
    if parameter.param_type_name == "argument":
        return f"`{parameter.name.upper()}`"
    return ", ".join(f"`{spelling}`" for spelling in (*parameter.opts, *parameter.secondary_opts))


def default(parameter: Any) -> str:
    """What stands when the parameter is not given."""
    if parameter.required:
        return "required"
    value = parameter.default
    if parameter.param_type_name == "option" and parameter.is_flag and not value:
        return "off"
    return "" if value is None or callable(value) else f"`{value}`"


def recipe() -> Iterator[str]:
    """The page of the recipe's sections and of every component but the steps."""
    from zhiling.llm.role import Role
    from zhiling.rows.splits import SplitSettings
    from zhiling.training.settings import TrainSettings
    from zhiling.workflow.settings import Budget, DiversitySettings, EvaluateSettings

    yield from ("# Recipe", "", GENERATED, "", RECIPE_HEAD)
    sections: dict[str, type[BaseModel]] = {
        "models": Role, "split": SplitSettings, "train": TrainSettings, "evaluate": EvaluateSettings,
        "diversity": DiversitySettings, "budget": Budget,
    }  # fmt: skip
    told: dict[type[BaseModel], str] = {}
    for name, model in sections.items():
        yield from ("", f"## {name}", "", *component(model), *subsections(name, model, told))
    for noun in COMPONENTS:
        yield from ("", f"## Components: {noun}", "", f"Written as `{KEYS.get(noun, 'use')}: NAME`.")
        for name in sorted(registry.table(noun)):
            yield from ("", f"### {noun} `{name}`", "", *component(registry.load(noun, name)))
    yield ""


def subsections(name: str, model: type[BaseModel], told: dict[type[BaseModel], str]) -> Iterator[str]:
    """The sections that stand inside one; `told` are those that have their table already, by title."""
    for field, info in model.model_fields.items():
        for inner in models_of(info.annotation):
            title = f"{name}.{field}"
            yield from ("", f"### {title}", "")
            if inner in told:
                yield f"The settings of `{told[inner]}`."
            else:
                told[inner] = title
                yield from component(inner)


def models_of(annotation: Any) -> list[type[BaseModel]]:
    """The sections that a type names."""
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for each in typing.get_args(annotation) for model in models_of(each)]


def steps() -> Iterator[str]:
    """The page of all steps."""
    from zhiling.workflow.cards import all_cards

    cards = all_cards()
    yield from ("# Steps", "", GENERATED, "", STEPS_HEAD, "")
    yield from table(
        ("step", "kind", "sees", "what it does"),
        [(f"[{c.name}](#{c.name})", c.kind, c.scope, c.summary) for c in cards],
    )
    for card in cards:
        yield from ("", f"## {card.name}", "", f"{card.kind}, sees {card.scope}, version {card.version}", "")
        yield from component(registry.load("step", card.name))
        if card.reasons:
            yield from ("", "Reasons: " + ", ".join(f"`{reason}`" for reason in card.reasons))
        if card.columns:
            yield from (
                "",
                "Columns: " + ", ".join(f"`<id>.{name}` ({kind})" for name, kind in card.columns.items()),
            )
        told = {
            "Cost": card.cost,
            "Source": card.source,
            "Limits": card.limits,
            "Can be calibrated": ", ".join(f"`{setting}`" for setting in card.calibrates),
            "Error rates": "measured" if card.error_rates else NO_TRUTH,
        }
        yield from ("", *(f"* {title}: {value}" for title, value in told.items() if value))
        yield from (f"  * {rate}" for rate in card.error_rates)
    yield ""


def routes() -> Iterator[str]:
    """The page of all tasks: which steps write rows of them, and which check their truth."""
    from zhiling.llm.asking import Asks
    from zhiling.rows.target import SHAPES

    loaded = [registry.load("step", name) for name in sorted(registry.table("step"))]
    rows: list[tuple[str, ...]] = []
    for task in SHAPES:
        own = [step for step in loaded if task in step.about]
        makes = [step for step in own if step.kind == "make"]
        told = (
            [step for step in makes if issubclass(step, Asks)],
            [step for step in makes if not issubclass(step, Asks)],
            [step for step in own if step.kind != "make"],
        )
        rows.append((task, *(", ".join(f"[{s.name}](steps.md#{s.name})" for s in each) for each in told)))
    yield from ("# Routes", "", GENERATED, "", ROUTES_HEAD, "")
    yield from table(("task", "with a teacher", "without", "truth checked by"), rows)
    yield ""


def component(thing: Any) -> Iterator[str]:
    """A component's docstring, and its settings where it is a model."""
    fields: Mapping[str, FieldInfo] = getattr(thing, "model_fields", {})
    docstring = inspect.getdoc(thing) or ""
    yield prose(ATTRIBUTES.sub("", docstring) if fields else docstring)
    told = {name: text for each in reversed(inspect.getmro(thing)) for name, text in attributes(each).items()}
    rows = [
        (
            f"`{info.alias or name}`",
            f"`{kind(info.annotation)}`",
            shown(info),
            info.description or told.get(name, ""),
        )
        for name, info in fields.items()
    ]
    if rows:
        yield from ("", *table(("setting", "type", "default", "meaning"), rows))


def attributes(thing: type) -> dict[str, str]:
    """Name → meaning from the `Attributes:` section of a class's own docstring."""
    section = ATTRIBUTES.search(inspect.cleandoc(vars(thing).get("__doc__") or ""))
    return dict(re.findall(r"(?ms)^ {4}(\w+): (.*?)(?=^ {4}\w|\Z)", section[1])) if section else {}


def kind(annotation: Any) -> str:
    """A type as it is written in code, without module names and without the metadata of `Annotated`."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return kind(inner[0])
    if origin in (typing.Union, types.UnionType):
        return " | ".join(kind(each) for each in inner)
    if origin is typing.Literal:
        return " | ".join(repr(each) for each in inner)
    if models_of(annotation):
        return "section"
    if inner:
        return f"{kind(origin)}[{', '.join(kind(each) for each in inner)}]"
    if annotation in (None, type(None), ...):
        return "..." if annotation is ... else "None"
    return getattr(annotation, "__name__", str(annotation))


def shown(info: FieldInfo) -> str:
    """A setting's default."""
    if info.is_required():
        return "required"
    value = info.get_default(call_default_factory=True)
    return "its defaults" if isinstance(value, BaseModel) else f"`{value!r}`"


def prose(docstring: str) -> str:
    """A Google docstring as Markdown: a section becomes a line in bold, its items a list."""
    lines: list[str] = []
    listed = False
    for line in docstring.splitlines():
        if re.fullmatch(r"(Args|Attributes|Raises|Returns|Yields):", line):
            listed = True
            lines += [f"**{line[:-1]}**", ""]
        elif listed and re.match(r" {4}\S", line):
            lines.append(re.sub(r"^ {4}(\w+):", r"* `\1`:", line))
        elif listed and line.startswith("     "):
            lines.append(f"  {line.strip()}")
        else:
            listed = listed and not line.strip()
            lines.append(line)
    return "\n".join(lines).rstrip()


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """A Markdown table."""
    header = tuple(header)
    yield f"| {' | '.join(header)} |"
    yield f"|{'---|' * len(header)}"
    for row in rows:
        yield f"| {' | '.join(' '.join(cell.split()).replace('|', chr(92) + '|') for cell in row)} |"


RECIPE_HEAD = """\
A recipe is one YAML file. Unknown keys are errors with a suggestion; all errors are told at once, each with
its `file:line:col`. `zhiling schema` prints the same as a JSON Schema, with which editors complete and check.

| section | meaning |
|---|---|
| `version` | 1 |
| `name` | of the runs; letters, digits, `.`, `_`, `-`; by default the folder's name |
| `seed` | decides every draw; equal seeds and equal inputs give equal bytes |
| `limit` | read at most so many rows of each source |
| `max_failed` | share of failed rows at which the run stops (at least 10 rows), 0.01 |
| `encoder` | texts to vectors, for steps that ask for it |
| `sources` | list of `{id, use, path, …}` |
| `models` | `ROLE: {…}`, the language models that steps ask, below; a step names a role (`model: teacher`) |
| `steps` | list of `{id, use, from, only, …}`; see [steps.md](steps.md) |
| `gates` | list of `{check, at_least, at_most, …}`; a gate that says no stops the run before the export |
| `split`, `train`, `evaluate`, `budget` | below |
| `export` | list of `{format, path, to}`: files under `export/`, one per split part; `to`: a URL to copy to |
| `profiles` | `NAME: {…}`, laid over the recipe by `--profile NAME` |

`from: [ids]` shows a step only rows that came through these sources or steps;
`only: {language: zh, task: [qa]}` narrows further. All other rows pass by.
`--set step.field=value` has the last word."""

STEPS_HEAD = """\
`zhiling steps NAME` shows the same. A *measure* adds columns and drops nothing, a *decide* keeps, flags,
sends to review or rejects, a *make* writes new rows. What a step sees at once: `rows` (any batch), `group` (a
whole conversation or document), `table` (everything)."""


ROUTES_HEAD = """\
How rows of each task are made and checked. *With a teacher*: a role of the recipe's `models` is asked.
*Without*: from material, labelled sets and logs alone; `template` words the labelled rows of every task as
conversations."""


def main(arguments: list[str]) -> int:
    """Writes the pages, or compares them."""
    stale = [path for path, text in pages().items() if not path.exists() or path.read_text("utf-8") != text]
    if "--check" in arguments:
        print(
            *(f"{path.relative_to(ROOT)} differs from the code: run `make docs`" for path in stale), sep="\n"
        )
        return int(bool(stale))
    for path, text in pages().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
