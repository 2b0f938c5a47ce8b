"""Laws of readers of office files and PDF: rubbish is told, never raised; what was written is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.sources.office_files import (
    STYLES,
    docx,
    listed,
    numbering,
    p,
    pptx,
    rows,
    shape,
    tbl,
    xlsx,
    zipped,
)
from tests.unit.sources.pdf_files import pdf, ruled, text
from zhiling.pipeline.step import Bad
from zhiling.sources.pages.binary_documents import read_binary
from zhiling.sources.pages.markdown_table import table
from zhiling.sources.pages.office.number_format import custom, shown
from zhiling.sources.pages.office.numbering import spelled
from zhiling.sources.pages.passages import passages

WHOLE = {
    "a.docx": docx(
        p("退货", "1") + listed("one") + listed("二", level=1) + tbl([["a", "b"], ["c", "d"]]),
        styles=STYLES,
        numbering=numbering([("bullet", "•"), ("decimal", "%2.")]),
    ),
    "a.pptx": pptx([shape("退货", "title") + shape("one\n\ttwo", ""), shape("x")], {1: "notes"}),
    "a.xlsx": xlsx({"S": rows([["a", 1], ["乙", 2.5]]), "T": rows([["x"]])}, ["<t>s</t>"], ["0%"]),
    "a.pdf": pdf([text(50, 700, "Title", 20) + "\n" + ruled([["a", "b"], ["甲", "乙"]], 50, 600)]),
}
names = st.sampled_from(sorted(WHOLE))
places = st.floats(0, 1, exclude_max=True)
words = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Co", "Cn", "Zl", "Zp"]), max_size=12
)


def told(name: str, content: bytes) -> tuple[list[str], list[Bad]]:
    bad: list[Bad] = []
    document = read_binary([content], name, 1000, bad)
    assert all(each.place.startswith(name) and each.cls.isidentifier() and each.message for each in bad)
    return [passage.text for passage in passages(document, 1000)], bad


@settings(max_examples=150, deadline=None)
@given(name=names, cut=places)
def test_a_file_that_is_cut_off_is_told_or_read(name: str, cut: float) -> None:
    content = WHOLE[name][: int(cut * len(WHOLE[name]))]
    texts, bad = told(name, content)
    assert texts or bad


@settings(max_examples=300, deadline=None)
@given(name=names, changes=st.lists(st.tuples(places, st.integers(0, 255)), min_size=1, max_size=20))
def test_a_file_with_changed_bytes_is_told_or_read(name: str, changes: list[tuple[float, int]]) -> None:
    content = bytearray(WHOLE[name])
    for place, value in changes:
        content[int(place * len(content))] = value
    told(name, bytes(content))


PIECES = [
    "<w:p>", "</w:p>", "<w:tbl>", "</w:tbl>", "<w:tr>", "</w:tr>", "<w:tc>", "</w:tc>", "<w:sdt>", "</w:sdt>",
    p("x", "1"), p("y"), listed("z", 7, 9), "&amp;", "文", '<c:chart r:id="no"/>',
    '<w:gridSpan w:val="-3"/>', '<w:tcPr><w:gridSpan w:val="99999999"/><w:vMerge/></w:tcPr>',
    "<m:oMath><m:f/><m:d><m:e/></m:d><m:nary/></m:oMath>", '<w:r><w:footnoteReference w:id="²"/></w:r>',
    '<w:numPr><w:ilvl w:val="x"/><w:numId/></w:numPr>', '<w:r><w:sym w:char="F0FE"/></w:r>',
]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(pieces=st.lists(st.sampled_from(PIECES), max_size=30))
def test_any_order_of_word_elements_is_told_or_read(pieces: list[str]) -> None:
    told("a.docx", docx("".join(pieces), styles=STYLES))


CELLS = [
    '<row r="2">', '<row r="x">', '<row r="-5">', "<row>", "</row>", '<c r="A1">', '<c r="ZZZZ1">',
    '<c t="s">', '<c t="inlineStr">', '<c s="99">', "<v>0</v>", "<v>-1</v>", "<v>1e400</v>", "<v>²</v>",
    "</c>", "<v/>", "<f>A1</f>", "<is><t>文</t></is>",
]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(pieces=st.lists(st.sampled_from(CELLS), max_size=30))
def test_any_order_of_excel_elements_is_told_or_read(pieces: list[str]) -> None:
    told("a.xlsx", xlsx({"S": "".join(pieces)}, ["<t>s</t>"], ["yyyy"]))


@settings(max_examples=60, deadline=None)
@given(cells=st.lists(st.lists(words, min_size=2, max_size=4), min_size=2, max_size=5))
def test_every_cell_of_every_type_comes_back(cells: list[list[str]]) -> None:
    expected = [cell.strip() for row in cells for cell in row if cell.strip()]
    writers: dict[str, Callable[[], bytes]] = {
        "a.docx": lambda: docx(tbl(cells)),
        "a.xlsx": lambda: xlsx({"S": rows(cells)}),
    }
    for name, write in writers.items():
        texts, bad = told(name, write())
        joined = "\n".join(texts).replace("\\|", "|")
        assert all(cell in joined for cell in expected), (name, texts, bad)


@settings(max_examples=100, deadline=None)
@given(cells=st.lists(st.lists(st.text(max_size=8), min_size=1, max_size=4), max_size=5))
def test_a_markdown_table_has_one_line_a_row_and_one_width(cells: list[list[str]]) -> None:
    held = {
        (row, column) for row, line in enumerate(cells) for column, cell in enumerate(line) if cell.strip()
    }
    lines = table(cells).split("\n")
    if len(lines) > 1 and (len(held) > 1 or any(held)):  # one cell alone is a frame
        assert len({line.replace("\\|", "").count("|") for line in lines}) == 1
        assert len(lines) == 1 + sum(any(cell.strip() for cell in row) for row in cells)


@settings(max_examples=200, deadline=None)
@given(
    value=st.one_of(st.text(max_size=8), st.floats().map(str), st.integers().map(str)),
    code=st.text(max_size=12),
)
def test_any_number_in_any_format_is_shown(value: str, code: str) -> None:
    assert isinstance(shown(value, custom(code), from_1904=False), str)


@settings(max_examples=100, deadline=None)
@given(
    number=st.integers(-5, 20_000),
    format=st.sampled_from(["lowerLetter", "upperRoman", "chineseCounting", "no"]),
)
def test_numbers_of_lists_are_short_and_never_empty(number: int, format: str) -> None:
    assert 0 < len(spelled(number, format)) <= 20


@settings(max_examples=60, deadline=None)
@given(
    parts=st.dictionaries(st.sampled_from(["word/document.xml", "_rels/.rels", "a"]), st.binary(max_size=40))
)
def test_a_zip_file_of_anything_is_told(parts: dict[str, Any]) -> None:
    texts, bad = told("a.docx", zipped(parts))
    assert (texts, len(bad)) == ([], 1)
