"""Pages that are made from code or measured files are up to date, and links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.house.tree import ROOT, project_files, relative
from tools import capacity, docs, error_rates, readme

LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("name", ["cli.md", "recipe.md", "steps.md"])
def test_reference_pages_match_the_code(name: str) -> None:
    page = docs.REFERENCE / name
    assert page.read_text("utf-8") == docs.pages()[page], f"{name} differs from the code: run `make docs`"


def test_error_rates_of_cards_match_what_was_measured() -> None:
    assert error_rates.FILE.read_text("utf-8") == error_rates.text(), "run `make docs`"


def test_the_capacity_page_matches_what_was_measured() -> None:
    assert capacity.PAGE.read_text("utf-8") == capacity.text(), "run `make docs`"


def test_capacity_is_reckoned_from_the_constants() -> None:
    def row(name: str, value: float, **beside: float) -> dict[str, object]:
        return {"id": f"curation.10.{name}", "value": value, "beside": beside}

    step = {"Ray": 36.0, "of it driver": 3.6}
    it = capacity.Reckoning(
        [
            row("rows", 2.0),
            row("read", 36.0),
            row("length", 30.0, **step),
            row("driver.table", 4),
            row("driver.keys", 36),
            row("driver.linked", 60),
            row("shuffle", 700.0),
        ]
    )
    assert it.million == 2000
    assert it.read_hours() == pytest.approx(10)
    assert it.hours("length") == pytest.approx(20)
    assert it.driver_hours() == pytest.approx(12)
    assert it.wall_hours(2) == pytest.approx(10 + 18 / 2)
    assert it.wall_hours(100) == pytest.approx(10 + 2)  # the driver is slower than a hundred cores
    assert it.most_cores() == pytest.approx(9)
    assert it.driver_gb() == pytest.approx(200)
    assert it.terabytes("shuffle") == pytest.approx(1.4)
    assert it.bottleneck() == ("reading the source", pytest.approx(10))


@pytest.mark.parametrize("name", readme.FILES)
def test_generated_parts_match_what_was_measured(name: str) -> None:
    page = ROOT / name
    assert page.read_text("utf-8") == readme.pages()[page], (
        f"{name} differs from its sources: run `make docs`"
    )


def test_links_between_pages_lead_somewhere() -> None:
    pages = [path for path in project_files() if path.suffix == ".md"]
    broken = [
        f"{relative(page)}: {target}"
        for page in pages
        for target in links(page)
        if not (page.parent / target).exists()
    ]
    assert broken == []


def links(page: Path) -> list[str]:
    """Targets of a page's links to other files of the project."""
    return [target for target in LINK.findall(page.read_text("utf-8")) if "://" not in target]


def test_both_readmes_show_the_same() -> None:
    """The same commands, links and generated parts, in both languages."""
    english, chinese = ((ROOT / name).read_text("utf-8") for name in ("README.md", "README.zh.md"))
    assert code(english) == code(chinese)
    assert sorted(set(LINK.findall(english)) - {"README.zh.md"}) == sorted(
        set(LINK.findall(chinese)) - {"README.md"}
    )


def code(text: str) -> list[str]:
    """The lines of all code blocks, without their comments."""
    blocks = re.findall(r"(?s)```\w*\n(.*?)```", text)
    return [line.split("#")[0].rstrip() for block in blocks for line in block.splitlines()]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.98765, "0.988"),
        (130_000, "130,000"),
        (12.0, "12"),
        (4321.9, "4,322"),
        (0.99962, "0.9996"),
        ("n/a", "n/a"),
    ],
)
def test_numbers_have_three_digits(value: float | str, shown: str) -> None:
    assert readme.number(value) == shown


def test_a_row_of_results_shows_interval_goal_and_miss() -> None:
    row = {
        "id": "spine.2", "what": "recall", "value": 0.9512, "low": 0.94, "high": 0.96, "unit": "",
        "goal": 0.99, "direction": "higher", "met": False, "beside": {"datasketch": 0.9},
    }  # fmt: skip
    assert list(readme.cells(row, "en")) == [
        "recall",
        "0.951 [0.94, 0.96]",
        "≥ 0.99",
        "**no**",
        "datasketch 0.9",
    ]


def test_a_docstring_becomes_markdown() -> None:
    text = docs.prose("What you get.\n\nArgs:\n    size: how many,\n        at most.\n\nMore.")
    assert text == "What you get.\n\n**Args**\n\n* `size`: how many,\n  at most.\n\nMore."
