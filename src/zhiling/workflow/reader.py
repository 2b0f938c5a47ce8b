"""From a recipe's tree to a validated recipe: all problems collected, each with its place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from zhiling.errors import RecipeError, UnknownName, UsageError, ZhilingError, did_you_mean
from zhiling.llm.role import Role
from zhiling.pipeline import registry
from zhiling.pipeline.block import Block
from zhiling.pipeline.evaluation_gates import Counterfactual, EvaluationGate, Score
from zhiling.pipeline.gates import Contaminated, Gate
from zhiling.pipeline.plan import RepeatLine, StepLine, Until
from zhiling.pipeline.step import Decide, Make, Source, Step
from zhiling.rows.splits import SplitSettings
from zhiling.training.settings import TrainSettings
from zhiling.workflow.document import Document, Path_, is_list, is_mapping, plain
from zhiling.workflow.recipe import ExportEntry, Recipe, SourceEntry
from zhiling.workflow.remote import is_url
from zhiling.workflow.settings import Budget, DiversitySettings, EvaluateSettings

SECTIONS = (
    "version", "name", "seed", "limit", "max_failed", "models", "encoder", "sources", "steps", "gates",
    "split", "export", "train", "evaluate", "diversity", "budget", "profiles",
)  # fmt: skip
VERSION = 1

_ID = re.compile(r"[a-z][a-z0-9_]*")
_STEP_KEYS = ("id", "use", "from", "only")
_REPEAT_KEYS = ("id", "use", "until", "rounds", "steps")
_UNTIL_KEYS = ("accepted", "quotas", "column", "stop")

_HIDDEN = object()
"""In the place of a value that is not told."""

Model = TypeVar("Model", bound=BaseModel)


class Reader:
    """Walks the tree once; a problem is noted and the walk goes on."""

    def __init__(self, document: Document) -> None:
        self.document, self.tree = document, document.tree
        self.problems: list[UsageError] = []
        self._ids: set[str] = set()
        self._columns: dict[str, set[str]] = {}  # measuring step → its columns that all later rows have
        self._stale: dict[str, str] = {}  # measuring step → the Make after which rows lack its columns

    def recipe(self) -> Recipe:
        """The recipe.

        Raises:
            RecipeError: all problems.
        """
        self._unknown(self.tree, SECTIONS, (), "section")
        if self._plain("version", int, VERSION) != VERSION:
            self._problem(
                f"recipe version {self.tree['version']!r}; version {VERSION} is read here", ("version",)
            )
        name = self._plain("name", str, re.sub(r"[^\w.-]", "-", self.document.file.parent.name) or "run")
        if not re.fullmatch(r"[\w.-]+", name):
            self._problem(f"name {name!r} becomes a folder: use letters, digits, '.', '_' and '-'", ("name",))
        if not self.tree.get("sources"):
            self._problem(
                "a recipe needs `sources`", ("sources",), "- {id: faq, use: tables, path: faq.jsonl}"
            )
        models = dict(self._roles())
        sources = tuple(self._sources())
        steps = tuple(self._steps(("steps",), self.tree.get("steps")))
        evaluate = self._section("evaluate", EvaluateSettings)
        recipe = Recipe(
            document=self.document, root=self.document.file.parent, name=name,
            seed=self._plain("seed", int, 0), limit=self._plain("limit", int, None),
            max_failed=float(self._plain("max_failed", float, 0.01)), encoder=self._encoder(steps),
            models=models, sources=sources, steps=steps, gates=tuple(self._gates(evaluate)),
            split=self._section("split", SplitSettings) or SplitSettings.model_validate({}),
            exports=tuple(self._exports()),
            train=self._section("train", TrainSettings), evaluate=evaluate,
            diversity=self._section("diversity", DiversitySettings) or DiversitySettings(),
            budget=self._section("budget", Budget) or Budget(),
        )  # fmt: skip
        if evaluate and self.tree.get("train") is None:
            self._problem("`evaluate` compares a tuned model, but there is no `train` section", ("evaluate",))
        if self.problems:
            raise RecipeError(self.problems)
        return recipe

    # ---- sections ----

    def _roles(self) -> Iterator[tuple[str, Role]]:
        """The models by the names of their roles; no value of theirs is repeated, as it may be a key."""
        models = self.tree.get("models")
        if models is None:
            return
        if not is_mapping(models):
            hint = "models: {teacher: {endpoint: http://127.0.0.1:8000/v1, model: NAME}}"
            self._problem("models is a mapping from roles to their settings", ("models",), hint)
            return
        for name, settings in models.items():
            path = ("models", name)
            if not _ID.fullmatch(str(name)):
                self._problem(f"role {name!r}: lower-case letters, digits and '_', a letter first", path)
            elif not is_mapping(settings):
                self._problem(f"role {name!r} is a mapping of settings: `endpoint`, `model`, …", path)
            elif role := self._validated(Role, settings, path, f"role {name!r}", secret=True):
                yield name, role

    def _sources(self) -> Iterator[SourceEntry]:
        for path, item in self._items(("sources",), self.tree.get("sources")):
            source_id = self._id(path, item)
            settings = {key: value for key, value in item.items() if key not in ("id", "use")}
            source = self._component("source", item.get("use"), settings, path)
            if isinstance(source, Source):
                yield SourceEntry(source_id, source)

    def _steps(self, at: Path_, value: Any) -> Iterator[StepLine | RepeatLine]:
        for path, item in self._items(at, value):
            line = self._line(path, item)
            if line is not None:
                yield line

    def _line(self, path: Path_, item: Mapping[str, Any]) -> StepLine | RepeatLine | None:
        """A step, a `repeat`, or the `repeat` that a block stands for."""
        use = item.get("use")
        if use == "repeat":
            return self._repeat(path, item)
        if use not in registry.table("block"):
            return self._step(path, item)
        settings = {key: value for key, value in item.items() if key not in _STEP_KEYS}
        block = self._component("block", use, settings, path)
        if not isinstance(block, Block):
            return None
        block_id = str(item.get("id", use))
        told = block.unfolded(block_id)
        narrowed = {key: item[key] for key in ("from", "only") if key in item}
        steps = [{**narrowed, **each} for each in told["steps"]]
        return self._repeat(path, {**told, "id": block_id, "use": "repeat", "steps": steps})

    def _step(self, path: Path_, item: Mapping[str, Any]) -> StepLine | None:
        known = set(self._ids)
        step_id = self._id(path, item)
        settings = {key: value for key, value in item.items() if key not in _STEP_KEYS}
        step = self._component("step", item.get("use"), settings, path)
        sources = _strings(item.get("from"))
        for name in sources:
            if name not in known:
                problem = UnknownName(
                    "source or earlier step", name, known, place=self.document.place((*path, "from"))
                )
                self.problems.append(problem)
        only: Any = item.get("only") or dict[str, Any]()
        if not is_mapping(only):
            self._problem(f"only is {only!r}, expected column: values", (*path, "only"))
            only = dict[str, Any]()
        if not isinstance(step, Step):
            return None
        self._reads(step, path)
        self._asks(step, path, item)
        if isinstance(step, Make):
            self._stale |= {name: step_id for name in self._columns if name not in self._stale}
        elif step.writes():
            self._columns[step_id] = set(step.writes())
        return StepLine(step_id, step, sources, {str(key): _strings(value) for key, value in only.items()})

    def _asks(self, step: Step, path: Path_, item: Mapping[str, Any]) -> None:
        """The roles that a step asks stand in `models`, also where their settings are wrong."""
        models = self.tree.get("models")
        known = [str(name) for name in models] if is_mapping(models) else []
        for role in step.roles():
            if role not in known:
                at = next(((*path, key) for key, value in item.items() if value == role), path)
                self.problems.append(
                    UnknownName("role of `models`", role, known, place=self.document.place(at))
                )

    def _reads(self, step: Step, path: Path_) -> None:
        """A column must be measured before it is read, on every row that the step can meet."""
        for column in step.reads():
            owner, dot, name = column.partition(".")
            if not dot:
                continue
            if owner not in self._columns:
                known = [f"{each}.{name}" for each, names in self._columns.items() for name in names]
                self.problems.append(
                    UnknownName("column", column, known, place=self.document.place((*path, "column")))
                )
            elif name not in self._columns[owner]:
                known = [f"{owner}.{each}" for each in self._columns[owner]]
                self.problems.append(
                    UnknownName("column", column, known, place=self.document.place((*path, "column")))
                )
            elif owner in self._stale and isinstance(step, Decide):
                self._problem(
                    f"rows made by step {self._stale[owner]!r} do not have column {column!r}", path,
                    f"put step {owner!r} behind step {self._stale[owner]!r}",
                )  # fmt: skip

    def _repeat(self, path: Path_, item: Mapping[str, Any]) -> RepeatLine | None:
        repeat_id = self._id(path, item)
        self._unknown(item, _REPEAT_KEYS, path, "setting of repeat")
        until = item.get("until")
        if not is_mapping(until) or not set(until) & {"accepted", "quotas", "stop"}:
            self._problem("repeat needs `until: {accepted: N}`, `quotas` or `stop`", (*path, "until"))
            return None
        self._unknown(until, _UNTIL_KEYS, (*path, "until"), "condition")
        rounds = item.get("rounds", 20)
        accepted = until.get("accepted")
        for value, key in ((rounds, ("rounds",)), (accepted, ("until", "accepted"))):
            if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
                self._problem(f"{key[-1]} is {value!r}, expected a number from 1 up", (*path, *key))
                return None
        inner = tuple(
            line for line in self._steps((*path, "steps"), item.get("steps")) if isinstance(line, StepLine)
        )
        stop = until.get("stop")
        if stop is not None and stop not in {line.id for line in inner}:
            known = [line.id for line in inner]
            self.problems.append(
                UnknownName("inner step", str(stop), known, place=self.document.place((*path, "until")))
            )
        quotas: Mapping[str, Any] = until.get("quotas") or {}
        quotas = {str(key): int(value) for key, value in quotas.items()}
        ends = Until(accepted, str(until.get("column", "task")), quotas, None if stop is None else str(stop))
        return RepeatLine(repeat_id, ends, rounds, inner)

    def _gates(self, evaluate: EvaluateSettings | None) -> Iterator[Gate]:
        """The gates of the recipe; that no row repeats its evaluation file is one, listed or not."""
        yield from self._listed_gates(evaluate)
        listed = any(item.get("check") == Contaminated.name for item in self._mappings("gates"))
        if evaluate and evaluate.data and evaluate.unseen and not listed:
            yield _against(Contaminated.model_validate({"at_most": 0}), evaluate)

    def _mappings(self, section: str) -> Iterator[Mapping[str, Any]]:
        value = self.tree.get(section)
        return (item for item in (value if is_list(value) else ()) if is_mapping(item))

    def _listed_gates(self, evaluate: EvaluateSettings | None) -> Iterator[Gate]:
        for path, item in self._items(("gates",), self.tree.get("gates")):
            settings = {key: value for key, value in item.items() if key != "check"}
            gate = self._component("gate", item.get("check"), settings, path, key="check")
            if isinstance(gate, Contaminated) and not gate.against and evaluate:
                gate = _against(gate, evaluate)
            if isinstance(gate, EvaluationGate) and (unmet := _unmet(gate, evaluate)):
                self._problem(f"gate {gate.name!r} {unmet}", path)
            if isinstance(gate, Gate):
                yield gate

    def _exports(self) -> Iterator[ExportEntry]:
        seen: set[str] = set()
        for path, item in self._items(("export",), self.tree.get("export")):
            settings = {key: value for key, value in item.items() if key not in ("format", "path", "to")}
            chosen = self._component("format", item.get("format"), settings, path, key="format")
            target = item.get("path")
            if not isinstance(target, str) or target.startswith("/") or ".." in target.split("/"):
                self._problem(
                    f"path {target!r} is not a file name under the run's export folder", (*path, "path")
                )
            elif target in seen:
                self._problem(f"path {target!r} is written twice", (*path, "path"))
            elif chosen is not None:
                seen.add(target)
                yield ExportEntry(chosen, target, self._sent_to(item.get("to"), path))

    def _sent_to(self, value: Any, path: Path_) -> str | None:
        """The folder behind a URL that an export is sent to."""
        if value is None or (isinstance(value, str) and is_url(value)):
            return value
        self._problem(f"to {value!r} is not a URL of a folder, such as s3://bucket/folder", (*path, "to"))
        return None

    def _encoder(self, steps: Sequence[StepLine | RepeatLine]) -> Mapping[str, Any] | None:
        settings = self.tree.get("encoder")
        if settings is None:
            return None
        if not is_mapping(settings):
            self._problem(
                f"encoder is {settings!r}, expected a mapping", ("encoder",), "encoder: {use: hashing}"
            )
            return None
        fields = {key: value for key, value in settings.items() if key != "use"}
        self._component("encoder", settings.get("use"), fields, ("encoder",))
        return plain(settings)

    def _section(self, key: str, model: type[Model]) -> Model | None:
        value = self.tree.get(key)
        if value is None:
            return None
        if not is_mapping(value):
            self._problem(f"{key} is {value!r}, expected a mapping", (key,))
            return None
        return self._validated(model, value, (key,), key)

    # ---- pieces ----

    def _items(self, path: Path_, value: Any) -> Iterator[tuple[Path_, Mapping[str, Any]]]:
        if value is None:
            return
        if not is_list(value):
            self._problem(f"{path[-1]} is a list of lines, not {type(value).__name__}", path)
            return
        for index, item in enumerate(value):
            if is_mapping(item):
                yield (*path, index), item
            else:
                self._problem(f"{item!r} is not a mapping", (*path, index))

    def _id(self, path: Path_, item: Mapping[str, Any]) -> str:
        found = item.get("id", item.get("use"))
        if not isinstance(found, str) or not _ID.fullmatch(found):
            self._problem(f"id {found!r}: lower-case letters, digits and '_', a letter first", (*path, "id"))
            return f"line_{path[-1]}"
        if found in self._ids:
            self._problem(f"id {found!r} is used twice", (*path, "id"), "give each line an `id` of its own")
        self._ids.add(found)
        return found

    def _component(
        self, noun: str, name: Any, settings: Mapping[str, Any], path: Path_, key: str = "use"
    ) -> Any:
        if not isinstance(name, str):
            known = ", ".join(sorted(registry.table(noun)))
            self._problem(f"a {noun} needs `{key}`, got {name!r}", (*path, key), f"known: {known}")
            return None
        try:
            model = registry.load(noun, name, place=self.document.place((*path, key)))
        except UsageError as error:
            self.problems.append(error)
            return None
        except ZhilingError as error:
            self._problem(f"{noun} {name!r}: {error.message}", (*path, key), error.hint)
            return None
        return self._validated(model, settings, path, f"{noun} {name!r}")

    def _validated(
        self, model: type[Model], value: Mapping[str, Any], path: Path_, what: str, *, secret: bool = False
    ) -> Model | None:
        """The settings as a model; None after its problems were noted, without the values where `secret`."""
        try:
            return model.model_validate(plain(value))
        except ValidationError as error:
            for problem in error.errors():
                self._explain(model, {**problem, "input": _HIDDEN} if secret else problem, path, what)
            return None

    def _explain(self, model: type[BaseModel], problem: Mapping[str, Any], path: Path_, what: str) -> None:
        where = tuple(part for part in problem["loc"] if isinstance(part, str | int))
        field = str(where[0]) if where else ""
        if problem["type"] == "extra_forbidden":
            self._problem(
                f"{what}: unknown setting {str(where[-1])!r}",
                (*path, *where),
                did_you_mean(str(where[-1]), _settings(model, where[:-1])),
            )
        elif problem["type"] == "missing":
            self._problem(f"{what}: setting {field!r} is missing", path, _describe(model, field))
        else:
            message = problem["msg"].removeprefix("Value error, ")
            given = "" if not field or problem["input"] is _HIDDEN else f" is {problem['input']!r}"
            named = f"{field}{given}: " if field else ""
            self._problem(f"{what}: {named}{message}", (*path, *where), _describe(model, field))

    def _unknown(self, value: Mapping[str, Any], known: Sequence[str], path: Path_, noun: str) -> None:
        for key in value:
            if key not in known:
                self._problem(f"unknown {noun} {key!r}", (*path, key), did_you_mean(str(key), known))

    def _plain(self, key: str, kind: type, default: Any) -> Any:
        value = self.tree.get(key)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, (int, float) if kind is float else kind):
            self._problem(f"{key} is {value!r}, expected {kind.__name__}", (key,))
            return default
        return kind(value)

    def _problem(self, message: str, path: Path_, hint: str | None = None) -> None:
        self.problems.append(UsageError(message, place=self.document.place(path), hint=hint))


def _unmet(gate: EvaluationGate, evaluate: EvaluateSettings | None) -> str | None:
    """What a gate asks for that the evaluation will not tell: better said now than after training."""
    if evaluate is None:
        return "asks the evaluation, and there is no `evaluate` section"
    if isinstance(gate, Counterfactual) and evaluate.counterfactual is None:
        return "asks for swaps, and evaluate.counterfactual is null"
    if not isinstance(gate, Score):
        return None
    if gate.metric not in evaluate.metrics:
        return f"asks for {gate.metric!r}, and evaluate.metrics is {list(evaluate.metrics)!r}"
    absent = [arm for arm in (gate.arm, gate.minus) if arm is not None and arm not in evaluate.arms]
    return f"asks for arm {absent[0]!r}, and evaluate.arms is {list(evaluate.arms)!r}" if absent else None


def _against(gate: Contaminated, evaluate: EvaluateSettings) -> Contaminated:
    """The gate with the recipe's evaluation file, where it has one."""
    if evaluate.data is None:
        return gate
    return gate.model_copy(update={"against": (evaluate.data,), "fields": (evaluate.text, *gate.fields)})


def _describe(model: type[BaseModel], field: str) -> str | None:
    info = model.model_fields.get(field)
    return f"{field}: {info.description}" if info and info.description else None


def _settings(model: type[BaseModel], inside: Sequence[str | int]) -> list[str]:
    """Names of the settings of a model, or of the section that stands inside it there."""
    for field in inside:
        inner = model.model_fields[field].annotation if isinstance(field, str) else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        model = inner
    return [info.alias or name for name, info in model.model_fields.items()]


def _strings(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    return tuple(str(each) for each in value) if is_list(value) else (str(value),)
