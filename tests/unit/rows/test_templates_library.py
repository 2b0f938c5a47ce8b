"""The library of wordings: what it holds in both languages, what it refuses; names of labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from zhiling.errors import MissingInput, UnknownName, UsageError
from zhiling.rows import target
from zhiling.rows.templates import Library, Listing, Names, builtin, read_files, read_names
from zhiling.rows.templates.library import parsed
from zhiling.rows.templates.shapes import OF_MODEL

LIBRARY = Library()


# ---- the library ----


def test_every_task_has_five_wordings_in_each_language() -> None:
    for task in target.SHAPES:
        for language in ("en", "zh"):
            shapes: dict[str, int] = {}
            for wording in builtin(task).values():
                if wording.language == language:
                    shapes[wording.shape] = shapes.get(wording.shape, 0) + 1
            assert shapes, task
            assert min(shapes.values()) >= 5, (task, language, shapes)


def test_every_shape_of_a_task_has_wordings() -> None:
    for task, models in target.SHAPES.items():
        wanted = {OF_MODEL[model] for model in models} or {"reply"}
        assert wanted <= {wording.shape for wording in builtin(task).values()}, task


def test_labels_are_listed_by_name_and_by_definition() -> None:
    for task in target.SHAPES:
        for language in ("en", "zh"):
            listing = [w for w in builtin(task).values() if w.language == language and w.shape == "labels"]
            assert not listing or any("definitions" in wording.slots for wording in listing), task
            assert all(wording.lists_labels for wording in listing), task


def test_wordings_of_a_language_differ() -> None:
    seen: dict[tuple[str | None, ...], str] = {}
    for task in target.SHAPES:
        for name, wording in builtin(task).items():
            said = wording.system, wording.before, wording.input, wording.after
            assert seen.setdefault((task, wording.shape, *said), name) == name


def test_an_unknown_wording_is_told_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="ner/en/lines"):
        LIBRARY.get("ner/en/line")


# ---- what is refused ----

GOOD: dict[str, Any] = {
    "id": "x", "language": "en", "shape": "entities", "none": "none",
    "before": "Find {labels}.[[none| Else {none}.]]", "input": "{input}",
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"input": "{first}{second}"}, "two slots touch"),
        ({"input": "Text[[context| {context}"}, "unbalanced"),
        ({"input": "no text"}, "shows no message"),
        ({"input": "{input} {input}"}, "stand twice"),
        ({"before": "Find {labels}."}, "does not say what to reply where nothing fits"),
        ({"before": "Find {labels}, else {none}."}, "does not say what to reply where nothing fits"),
        ({"before": "[[colour| red]]Find.[[none|{none}]]"}, "neither a flag nor a slot"),
        ({"none": None}, "none is None"),
        ({"none": " none"}, "none is ' none'"),
        ({"none": '"none"'}, "none is"),
        ({"none": "a\nb"}, "none is"),
        ({"reply": "Found: {answer}!", "none": "Found: nothing!"}, "reads like a reply"),
        ({"reply": "Found"}, "must hold {answer} once"),
        ({"reply": "{answer} or {answer}"}, "must hold {answer} once"),
        ({"reply": "Found:\n\n{answer}"}, "blank line"),
        ({"item": "{type}{mention}"}, "two slots touch"),
        ({"item": "{type}"}, "does not hold each of"),
        ({"item": "{type}: {mention} {n}"}, "does not hold each of"),
        ({"item": "{type} {mention}"}, "white space only"),
        ({"item": '{type} "{mention}'}, "could be part of one"),
        ({"item": "{type} [{mention}"}, "could be part of one"),
        ({"join": " "}, "white space only"),
        ({"join": "\n\n"}, "blank line"),
        ({"json": ["type"], "none": None}, "one key each for"),
        ({"json": ["type", "type"], "none": None}, "one key each for"),
        ({"json": ["type", "text"]}, "leave `none` out"),
        ({"shape": "score", "item": None}, "never empty"),
        ({"shape": "shapes"}, "shape is 'shapes'"),
        ({"language": "fr"}, "language"),
        ({"colour": "red"}, "colour"),
        ({"shape": "choice", "reply": "It is {answer}"}, "names no option"),
        ({"shape": "choice", "reply": "{letter}{choice}"}, "two slots touch"),
        ({"shape": "choice", "reply": "{number}", "option": "{letter}. {choice}"}, "does not show"),
        ({"shape": "reply"}, "neither item, join, none nor json"),
    ],
)  # fmt: skip
def test_an_ambiguous_wording_is_refused(change: dict[str, Any], problem: str) -> None:
    entry = {key: value for key, value in {**GOOD, **change}.items() if value is not None}
    document = json.dumps({"task": "ner", "wordings": [entry]})
    with pytest.raises(UsageError, match=r"own\.yaml: wording 'x'") as caught:
        parsed(document, "own.yaml")
    assert problem in str(caught.value)


def test_the_wording_that_the_cases_above_change_is_a_good_one() -> None:
    assert parsed(json.dumps({"task": "ner", "wordings": [GOOD]}), "own.yaml").keys() == {"ner/en/x"}


def test_files_of_ones_own(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(json.dumps({"task": "ner", "wordings": [GOOD]}), encoding="utf-8")
    library = read_files([own])
    assert library.of_task("ner")[0].id == "x"
    assert library.get("ner/en/x").task == "ner"
    for wordings, problem in (
        ([GOOD, GOOD], "two wordings are called"),
        ([{**GOOD, "id": "lines"}], "is there already"),
        (["text"], "is no wording"),
    ):
        own.write_text(json.dumps({"task": "ner", "wordings": wordings}), encoding="utf-8")
        with pytest.raises(UsageError, match=problem):
            read_files([own])
    for text, problem in (
        ("[", "cannot be read"),
        ("[]", "two keys"),
        ("{task: x, wordings: []}", "task is 'x'"),
    ):
        own.write_text(text, encoding="utf-8")
        with pytest.raises(UsageError, match=problem):
            read_files([own])
    with pytest.raises(MissingInput):
        read_files([tmp_path / "absent.yaml"])


# ---- names of labels ----


def test_names_by_language(tmp_path: Path) -> None:
    file = tmp_path / "labels.yaml"
    file.write_text(
        "card: {en: a card, zh: 银行卡, definition_en: On cards., definition_zh: 关于卡。}\n"
        "parcel: [parcels, post]\nlost: missing\nnew: {en: fresh}\n", encoding="utf-8",
    )  # fmt: skip
    english, chinese = read_names(file, "en"), read_names(file, "zh")
    assert english.words == {"card": "a card", "parcel": "parcels", "lost": "missing", "new": "fresh"}
    assert chinese.words == {"card": "银行卡", "parcel": "parcels", "lost": "missing"}
    assert chinese.definitions == {"card": "关于卡。"}
    assert english.of(["card", "unheard"]) == {"card": "a card", "unheard": "unheard"}


def test_two_labels_with_one_name_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "labels.yaml"
    file.write_text("card: {zh: 卡}\npass: {zh: 卡}\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"'card' and 'pass' are both called '卡'"):
        read_names(file, "zh")
    assert read_names(file, "en").words == {}
    with pytest.raises(UsageError, match="both called 'card'"):
        _ = Listing(("a", "card"), Names({"a": "card"})).words


def test_a_broken_file_of_names(tmp_path: Path) -> None:
    with pytest.raises(MissingInput):
        read_names(tmp_path / "absent.yaml", "en")
    file = tmp_path / "labels.yaml"
    for text, problem in (("[a, b]", "mapping"), ("{", "cannot be read")):
        file.write_text(text, encoding="utf-8")
        with pytest.raises(UsageError, match=problem):
            read_names(file, "en")
