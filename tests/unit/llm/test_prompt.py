"""Prompt files: what is wrong with one is told before anything is asked, and no text leaves its fence."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhiling.errors import MissingInput, UsageError
from zhiling.llm.prompt import Prompt, fenced

HEAD = "{# Origin: written for zhiling. Licence: Apache-2.0. #}\n"


@pytest.fixture
def write(tmp_path: Path):
    def written(text: str) -> Path:
        path = tmp_path / "own.en.jinja"
        path.write_text(HEAD + text, encoding="utf-8")
        return path

    return written


def test_turns_are_filled_with_a_rows_texts(write) -> None:
    path = write("=== system\nBe {{ mood }}.\n=== user\n{{ passage | fenced }}\n")
    prompt = Prompt(path, ["passage", "mood"])
    system, user = prompt.messages({"passage": "门锁 {{ 1 }}", "mood": "短"})
    assert (system.role, system.content) == ("system", "Be 短.")
    assert (user.role, user.content) == ("user", fenced("门锁 {{ 1 }}"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("=== user\n\n{{ pasage }} {{ passage }}", "own.en.jinja:4: unknown variable 'pasage'"),
        ("=== user\n\n{{ pasage }} {{ passage }}", "did you mean 'passage'"),
        ("=== user\nnothing", "leaves out 'passage'\n  → say {{ passage }} in it"),
        ("=== user\n{{ passage ", r"own.en.jinja:3: not a template"),
        ("{{ passage }}", "made of turns"),
        ("=== user\n{{ passage }}\n=== assistant\nyes", "ends in the user's"),
        ("=== robot\nx\n=== user\n{{ passage }}", r"own.en.jinja:2: a turn of 'robot'"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, said: str, write) -> None:
    with pytest.raises(UsageError) as it:
        Prompt(write(text), ["passage"])
    assert said in str(it.value)


def test_a_file_can_do_nothing_but_write(write) -> None:
    prompt = Prompt(write("=== user\n{{ passage.__class__.__mro__ }}"), ["passage"])
    with pytest.raises(UsageError, match="cannot be filled"):
        prompt.messages({"passage": "x"})
    with pytest.raises(MissingInput, match="no such prompt file"):
        Prompt(Path("nowhere.jinja"), [])


@given(st.text(max_size=200))
def test_no_text_holds_the_mark_that_ends_it(text: str) -> None:
    opening, body = fenced(text).split("\n", 1)
    assert body == f"{text}\n{opening.replace('<', '</')}"
    assert opening.replace("<", "</") not in text
    assert fenced(fenced(text)).count("<document ") == 2 + text.count("<document ")
