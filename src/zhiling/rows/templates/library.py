"""The wordings that there are: one file a task beside this module, and files of the user's own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, cast

from zhiling.errors import MissingInput, UnknownName, UsageError
from zhiling.rows.target import SHAPES as TASKS
from zhiling.rows.templates.phrases import read_yaml
from zhiling.rows.templates.wording import Wording, wording


@dataclass
class Library:
    """Wordings by name; built-in ones are read when their task is asked for.

    Attributes:
        own: wordings of the user's files; they come first and never replace a built-in one.
    """

    own: Mapping[str, Wording] = field(default_factory=dict[str, Wording])

    def get(self, name: str) -> Wording:
        """The wording `task/language/id`.

        Raises:
            UnknownName: there is none.
        """
        found = self.own.get(name) or builtin(name.partition("/")[0]).get(name)
        if found is None:
            raise UnknownName("wording", name, [*self.own, *builtin(name.partition("/")[0])])
        return found

    def of_task(self, task: str) -> list[Wording]:
        """All wordings of a task, in the order of the files."""
        own = [each for each in self.own.values() if each.task == task]
        return own + list(builtin(task).values())


@cache
def builtin(task: str) -> Mapping[str, Wording]:
    """The wordings that come with a task; none for a task without templates."""
    file = resources.files("zhiling.rows.templates").joinpath(f"{task}.yaml")
    if task not in TASKS or not file.is_file():
        return {}
    return parsed(file.read_text("utf-8"), f"{task}.yaml")


def read_files(paths: Iterable[Path]) -> Library:
    """A library with the wordings of these files.

    Raises:
        MissingInput: a file is not there.
        UsageError: a file is no list of wordings, a wording is ambiguous, or a name is taken.
    """
    own: dict[str, Wording] = {}
    for path in paths:
        if not path.is_file():
            raise MissingInput(f"template file {path.name!r} is not there", place=str(path))
        for name, found in parsed(path.read_text(encoding="utf-8"), str(path)).items():
            if name in own or name in builtin(found.task):
                raise UsageError(
                    f"wording {name!r} is there already", place=str(path), hint="choose another id"
                )
            own[name] = found
    return Library(own)


def parsed(text: str, place: str) -> dict[str, Wording]:
    """The wordings of a file's text.

    Raises:
        UsageError: as `read_files`.
    """
    from ruamel.yaml.error import YAMLError

    try:
        tree: Any = read_yaml(text)
    except YAMLError as error:
        raise UsageError(f"cannot be read as YAML: {error}", place=place) from error
    if not isinstance(tree, dict) or set(cast(dict[str, Any], tree)) != {"task", "wordings"}:
        raise UsageError("a file of wordings has two keys, `task` and `wordings`", place=place)
    content = cast(dict[str, Any], tree)
    task, entries = content["task"], content["wordings"]
    if task not in TASKS:
        raise UsageError(f"task is {task!r}", place=place, hint=f"one of {', '.join(TASKS)}")
    found: dict[str, Wording] = {}
    for entry in cast(list[Any], entries or []):
        if not isinstance(entry, dict):
            raise UsageError(f"{entry!r:.60} is no wording", place=place, hint="it is a mapping with an `id`")
        made = wording(cast(dict[str, Any], entry), task, place)
        if made.name in found:
            raise UsageError(f"two wordings are called {made.name!r}", place=place, hint="rename one")
        found[made.name] = made
    return found
