"""The list of intents that a person edits: keep, rename, merge, split or drop what was found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from zhiling.errors import UsageError

HEADER = """\
# Intents that were found, the largest first. Edit `action`, name this file in `list_file`, run again.
# 找到的意图，大的在前。修改 action，在设置 list_file 里写上本文件，再运行一次。
#   keep                 as it is                          保持不变
#   rename   name: X     call it X                         改名为 X
#   merge    into: X     it belongs to the intent named X  并入名为 X 的意图
#   split    parts: 3    cut it into three                 拆成三份
#   drop                 rows of it get no intent          这些行不给意图
# `texts` tell which cluster an entry means, also when there are new rows: leave them as they are.
# texts 用来认出是哪一类，有了新数据也靠它们：请不要改动。
"""


class Entry(BaseModel):
    """One cluster, and what becomes of it.

    Attributes:
        intent: its name, from its terms.
        action: what a person wants.
        name: for `rename`.
        into: for `merge`: the name (after renaming) of another entry.
        parts: for `split`.
        rows: how many rows it has.
        terms: what stands in it more than elsewhere.
        texts: its most typical texts.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    intent: str
    action: Literal["keep", "rename", "merge", "split", "drop"] = "keep"
    name: str | None = None
    into: str | None = None
    parts: Annotated[int, Field(ge=2)] | None = None
    rows: int = 0
    terms: list[str] = []
    texts: Annotated[list[str], Field(min_length=1)]

    @model_validator(mode="after")
    def _complete(self) -> Entry:
        needed = {"rename": "name", "merge": "into", "split": "parts"}
        for action, field in needed.items():
            if (self.action == action) != (getattr(self, field) is not None):
                raise ValueError(f"`{field}` goes with action {action!r} and no other, not {self.action!r}")
        return self

    @property
    def called(self) -> str:
        """Its name after renaming."""
        return self.name or self.intent


def write_list(entries: Sequence[Entry], file: Path) -> None:
    """Writes the list with a header that says how to edit it."""
    yaml: Any = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.allow_unicode = True
    yaml.sort_base_mapping_type_on_output = False
    yaml.width = 4096
    with file.open("w", encoding="utf-8") as stream:
        stream.write(HEADER)
        yaml.dump([entry.model_dump(exclude_none=True) for entry in entries], stream)


def read_list(file: Path) -> list[Entry]:
    """The entries of an edited list.

    Raises:
        UsageError: it is no YAML list of entries, two of them have one name, or a merge leads nowhere.
    """
    try:
        yaml: Any = YAML(typ="safe", pure=True)
        read: Any = yaml.load(file.read_text(encoding="utf-8"))
        if not isinstance(read, list):
            raise UsageError(
                f"a list of intents is needed, got {type(read).__name__}", place=str(file), hint=_START
            )
        entries = [Entry.model_validate(each) for each in cast("list[Any]", read)]
    except FileNotFoundError as error:
        raise UsageError("there is no such list of intents", place=str(file), hint=_START) from error
    except (YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"no YAML: {error}", place=str(file), hint=_START) from error
    except ValidationError as error:
        problem = error.errors()[0]
        at = ".".join(map(str, problem["loc"]))
        raise UsageError(
            f"an entry cannot be read: {at} {problem['msg']} (got {problem['input']!r:.80})",
            place=str(file), hint=_START,
        ) from error  # fmt: skip
    _check(entries, file)
    return entries


_START = "start from the file intents.yaml that a run without `list_file` leaves in the step's state folder"


def _check(entries: Sequence[Entry], file: Path) -> None:
    staying = {entry.called: entry for entry in entries if entry.action in ("keep", "rename", "split")}
    counted = Counter(entry.called for entry in entries if entry.action != "merge")
    for name, count in counted.items():
        if count > 1:
            raise UsageError(
                f"{count} entries are called {name!r}; a name stands for one",
                place=str(file), hint="use the action merge to make one intent of them",
            )  # fmt: skip
    for entry in entries:
        if entry.action != "merge":
            continue
        target = staying.get(entry.into or "")
        if target is None or target.action == "split":
            whole = [name for name, each in staying.items() if each.action != "split"]
            raise UsageError(
                f"{entry.intent!r} is merged into {entry.into!r}, which is no entry that stays whole",
                place=str(file), hint=f"one of: {', '.join(whole)}",
            )  # fmt: skip
