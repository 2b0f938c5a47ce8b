"""Every folder of the public sets is read by a recipe; instruction sets give the rows that README counts.

What is no row is told by reason. What the files hold is counted a second time by the standard library.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

import zhiling

DATA = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"
RECIPES = Path(__file__).parent

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not here"),
]

# Recipe → rows, and bad items by class. The comments name what the README of the sets counts beside them.
EXPECTED: dict[str, tuple[int, dict[str, int]]] = {
    "alpaca_en_10k": (9_545, {}),
    "alpaca_zh_10k": (10_021 + 486, {"missing_field": 1}),  # 487 edits, of which one removed the row
    "alpagasus_dolly_3k": (2_996, {}),
    "belle": (175, {}),
    "bipia_prompt_injection": (50 + 900 + 50 + 75 + 50, {}),
    "gpteacher_roleplay": (3_146, {}),
    "instruction_wild": (429 + 429 + 429 + 246, {"broken_json": 2}),  # lines 134 and 168 of user_2
    "oasst_zh": (766 + 772, {"equal_answers": 3}),  # of 775 lists of answers 3 repeat the best one
    "rasbt_instructions": (1_100 + 1_094 + 200, {"equal_answers": 6}),  # of 1,100 pairs 6 are equal
    "safety_prompts": (75, {}),
    "self_instruct": (175 + 5_000, {}),
    "t0_templates": (5_948, {}),
}


def run(name: str, root: Path) -> zhiling.Run:
    """The recipe `name` of this folder, run up to its rows."""
    recipe = (RECIPES / f"{name}.yaml").read_text(encoding="utf-8")
    (root / "recipe.yaml").write_text(recipe.replace("DATA", DATA.resolve().as_posix()), encoding="utf-8")
    return zhiling.Recipe.load(root / "recipe.yaml").run(until="rows")


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_rows_in_are_the_rows_of_the_set(name: str, tmp_path: Path) -> None:
    done = run(name, tmp_path)
    rows, bad = EXPECTED[name]
    told: Counter[str] = Counter()
    if done.counts["bad"]:
        told.update(done.folder.read_frame("bad.parquet")["class"].to_list())
    assert (done.counts["in"], dict(told)) == (rows, bad)


def test_every_folder_is_read_by_a_recipe() -> None:
    named: set[str] = set()
    for recipe in RECIPES.glob("*.yaml"):
        named |= set(re.findall(r"DATA/([a-z0-9_]+)/", recipe.read_text(encoding="utf-8")))
    folders = {path.name for path in DATA.iterdir() if path.is_dir()}
    assert folders - named == set()
    assert len(folders) == 43
