"""Fills the generated parts of README.md, README.zh.md and docs/benchmarks.md from measured files.

<!-- demo:begin -->      a part of docs/demo.txt, the recorded output of `zhiling demo`
<!-- results:begin spine.1 spine.2* -->   rows of benchmarks/results/*.json whose id fits a pattern

python tools/readme.py            # fills them
python tools/readme.py --check    # exit 1 where a file differs
python tools/readme.py --record   # runs the demo first and stores what it printed
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FILES = ("README.md", "README.zh.md", "docs/benchmarks.md")
DEMO = ROOT / "docs" / "demo.txt"
RESULTS = ROOT / "benchmarks" / "results"
DEMO_BEGIN = "planted defect"  # the funnel before it is in docs/demo.txt
MOST_BESIDE = 6  # figures that stand beside one; all of them are in the file of results
DEMO_LINES = 13  # what leaves room for the rest of a first screen of 40 lines

HEADERS = {
    "en": ("what was measured", "result", "goal", "met", "beside"),
    "zh": ("测了什么", "结果", "目标", "达到", "对照"),
}
ANSWERS = {"en": {True: "yes", False: "**no**", None: ""}, "zh": {True: "是", False: "**否**", None: ""}}
MISSING = {
    "en": "Not measured yet: `{command}` fills this in.",
    "zh": "尚未测量：运行 `{command}` 后自动填入。",
}

MARKED = re.compile(r"(?s)(<!-- (demo|results):begin([^>]*?) ?-->\n)(.*?)(<!-- \2:end -->)")


def filled(text: str, language: str) -> str:
    """The text with every marked part written anew."""

    def part(found: re.Match[str]) -> str:
        body = demo(language) if found[2] == "demo" else results(found[3].split(), language)
        return f"{found[1]}{body}\n{found[5]}"

    return MARKED.sub(part, text)


def demo(language: str) -> str:
    """What the recorded demo found and what it proved, as a code block."""
    if not DEMO.exists():
        return MISSING[language].format(command="python tools/readme.py --record")
    lines = [line.rstrip() for line in DEMO.read_text("utf-8").strip("\n").splitlines()]
    lines = lines[next((place for place, line in enumerate(lines) if line.startswith(DEMO_BEGIN)), 0) :]
    more = ["…"] * (len(lines) > DEMO_LINES)
    return "\n".join(("```text", *lines[:DEMO_LINES], *more, "```"))


def results(patterns: Sequence[str], language: str) -> str:
    """A table of the measured rows whose id fits one of the patterns, in the order of the patterns."""
    rows = measured()
    order = [row for pattern in patterns for row in rows if fnmatchcase(row["id"], pattern)]
    chosen = list({row["id"]: row for row in order}.values())
    if not chosen:
        return MISSING[language].format(command=f"make bench-{patterns[0].split('.')[0]}")
    header = HEADERS[language]
    return "\n".join(
        (line(header), "|---|---:|---:|---|---|", *(line(cells(row, language)) for row in chosen))
    )


def measured() -> list[dict[str, Any]]:
    """All rows of all result files, by topic and number."""
    files = [json.loads(path.read_text("utf-8")) for path in sorted(RESULTS.glob("*.json"))]
    return [row for file in files for row in file["rows"]]


def cells(row: Mapping[str, Any], language: str) -> Iterator[str]:
    """What, value with interval, goal, met, what stood beside it."""
    unit = f" {row['unit']}" if row.get("unit") not in (None, "", "share") else ""
    yield row["what"]
    interval = f" [{number(row['low'])}, {number(row['high'])}]" if row.get("low") is not None else ""
    yield f"{number(row['value'])}{unit}{interval}"
    sign = {"lower": "≤ ", "higher": "≥ "}.get(row.get("direction") or "", "")
    yield f"{sign}{number(row['goal'])}{unit}" if row.get("goal") is not None else ""
    yield ANSWERS[language][row.get("met")]
    beside = [f"{name} {number(value)}" for name, value in (row.get("beside") or {}).items()]
    yield "; ".join(beside[:MOST_BESIDE] + ["…"] * (len(beside) > MOST_BESIDE))


def number(value: Any) -> str:
    """Three significant digits, more where they would round a value up to 1; whole numbers and words stay."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if float(value).is_integer() or abs(value) >= 1000:
        return f"{value:,.0f}"
    return next((text for digits in range(3, 7) if (text := f"{value:.{digits}g}") != "1"), "1")


def line(texts: Sequence[str] | Iterator[str]) -> str:
    """One line of a Markdown table."""
    return f"| {' | '.join(text.replace('|', chr(92) + '|') for text in texts)} |"


def record() -> None:
    """Runs the demo in an empty folder and stores what it printed, without that folder's name."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "zhiling", "demo"]
        printed = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True, check=True).stdout
        places = {folder, str(Path(folder).resolve())}
    for place in sorted(places, key=len, reverse=True):
        printed = printed.replace(f"{place}/", "").replace(place, ".")
    DEMO.write_text(printed, "utf-8")


def pages() -> dict[Path, str]:
    """Each file with its generated parts written anew."""
    texts = {ROOT / name: (ROOT / name).read_text("utf-8") for name in FILES}
    return {path: filled(text, "zh" if ".zh." in path.name else "en") for path, text in texts.items()}


def main(arguments: list[str]) -> int:
    """Fills the files, or compares them."""
    if "--record" in arguments:
        record()
    stale = {path: text for path, text in pages().items() if path.read_text("utf-8") != text}
    if "--check" in arguments:
        print(
            *(f"{path.relative_to(ROOT)} differs from its sources: run `make docs`" for path in stale),
            sep="\n",
        )
        return int(bool(stale))
    for path, text in stale.items():
        path.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
