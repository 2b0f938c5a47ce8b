"""Excel files: kinds of cells, ranges, long and sparse sheets, hidden and broken ones."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.sources.office_files import rows, xlsx
from zhiling.sources.pages.office.number_format import Kind, built_in, custom, shown
from zhiling.sources.pages.office.package import Package
from zhiling.sources.pages.office.xlsx import read_xlsx
from zhiling.sources.pages.office.xlsx_cells import letters
from zhiling.sources.pages.reading import Reading


def read(sheets: dict[str, str], limit: int = 4000, **more: Any) -> Reading:
    return read_xlsx(Package(xlsx(sheets, **more)), limit)


def told(reading: Reading) -> list[tuple[object, str]]:
    return [(section.at, text) for section in reading.document.sections for _, text in section.paragraphs]


def test_rows_without_a_gap_are_a_table_and_one_column_is_text() -> None:
    sheet = rows([["价目表"]]) + rows([["Name", "Price"], ["a|b", 3], ["乙", None]], 3)
    assert told(read({"表一": sheet})) == [
        ("sheet 表一!A1:A1", "价目表"),
        ("sheet 表一!A3:B5", "| Name | Price |\n| --- | --- |\n| a\\|b | 3 |\n| 乙 |  |"),
    ]


def test_every_kind_of_cell() -> None:
    kinds = (
        '<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c></row>'
        '<row r="2"><c r="A2" t="b"><v>1</v></c><c r="B2" t="e"><v>#N/A</v></c></row>'
        '<row r="3"><c r="A3"><f>1+2</f><v>3</v></c><c r="B3"><f>A1&amp;"x"</f></c></row>'
        '<row r="4"><c r="A4" s="1"><v>45292</v></c><c r="B4" s="2"><v>0.125</v></c></row>'
        '<row r="5"><c r="A5" t="str"><f>T()</f><v>formula text</v></c>'
        '<c r="B5"><v>0.30000000000000004</v></c></row>'
        "<row><c><v>6</v></c><c><v>1E+2</v></c></row>"
    )
    shared = ["<t>plain</t>", "<r><t>rich </t></r><r><t>文本</t></r><rPh><t>wénběn</t></rPh>"]
    reading = read({"S": kinds}, shared=shared, formats=['yyyy"年"m"月"d"日"', "0.0%"])
    (_, table), *_ = told(reading)
    assert table.split("\n")[2:] == [
        "| TRUE | #N/A |",
        '| 3 | =A1&"x" |',
        "| 2024-01-01 | 12.5% |",
        "| formula text | 0.3 |",
        "| 6 | 100 |",
    ]
    assert table.startswith("| plain | rich 文本 |\n")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("General", "number"),
        ("#,##0.00", "number"),
        ('0 "days"', "number"),
        ("[Red]0", "number"),
        ("0%", "percent"),
        ("d/m/yy", "date"),
        ("[$-804]yyyy年m月d日;@", "date"),
        ("mmm", "date"),
        ("h:mm", "time"),
        ("mm:ss.0", "time"),
        ("[h]:mm", "duration"),
    ],
)
def test_number_formats(code: str, kind: Kind) -> None:
    assert custom(code) == kind


@pytest.mark.parametrize(
    ("value", "kind", "from_1904", "expected"),
    [
        ("1", "date", False, "1900-01-01"),
        ("61", "date", False, "1900-03-01"),
        ("45292.5", "date", False, "2024-01-01 12:00:00"),
        ("43830", "date", True, "2024-01-01"),
        ("0.75", "time", False, "18:00:00"),
        ("1.5", "duration", False, "36:00:00"),
        ("-1", "date", False, "-1"),
        ("1e300", "date", False, "1e+300"),
        ("123456789012345678", "number", False, "123456789012345678"),
        ("nan", "number", False, "nan"),
        ("没有", "number", False, "没有"),
    ],
)
def test_numbers_are_shown_as_a_reader_expects(
    value: str, kind: Kind, from_1904: bool, expected: str
) -> None:
    assert shown(value, kind, from_1904=from_1904) == expected


def test_built_in_formats() -> None:
    assert [built_in(id) for id in (0, 9, 14, 20, 31, 46, 57)] == [
        "number", "percent", "date", "time", "date", "duration", "date",
    ]  # fmt: skip


def test_a_long_table_is_cut_between_rows_and_repeats_its_header() -> None:
    table = [["Name", "价格"], *([f"row {n}", str(n)] for n in range(2500))]
    reading = read({"S": rows(table)}, limit=1000)
    found = told(reading)
    assert all(len(text) <= 1000 and text.startswith("| Name | 价格 |\n") for _, text in found)
    assert [line for _, text in found for line in text.split("\n")[2:]] == [
        f"| row {n} | {n} |" for n in range(2500)
    ]
    assert found[0][0] == "sheet S!A1:B62"
    assert str(found[1][0]).startswith("sheet S!A63:B")
    assert str(found[-1][0]).endswith(":B2501")


def test_a_sheet_of_a_million_rows_that_holds_three_cells_is_three_cells() -> None:
    sheet = (
        rows([["first", "x"]])
        + '<row r="1048576"><c r="XFD1048576" t="inlineStr"><is><t>last</t></is></c></row>'
    )
    assert [at for at, _ in told(read({"S": sheet}))] == ["sheet S!A1:B1", "sheet S!XFD1048576:XFD1048576"]


def test_hidden_sheets_and_cells_without_their_text_are_told() -> None:
    broken = '<row r="1"><c r="A1" t="s"><v>9</v></c><c r="B1"><v>1</v></c></row>'
    reading = read({"Open": broken, "藏": rows([["x"]])}, hidden=["藏"])
    assert told(reading) == [("sheet Open!B1:B1", "1")]
    assert [(each.cls, each.part) for each in reading.problems] == [
        ("broken_cell", "sheet Open!A1"),
        ("hidden_sheet", "sheet 藏"),
    ]


def test_of_many_broken_cells_a_hundred_are_told_and_all_counted() -> None:
    broken = "".join(f'<row r="{n}"><c r="A{n}" t="s"><v>9</v></c></row>' for n in range(1, 301))
    problems = read({"S": broken}).problems
    assert len(problems) == 101
    assert "300 cells" in problems[-1].message


def test_rows_before_the_point_where_a_sheet_breaks_are_kept() -> None:
    reading = read({"S": rows([["a", "b"], ["c", "d"]]) + "<row><c></row>"})
    assert told(reading) == [("sheet S!A1:B2", "| a | b |\n| --- | --- |\n| c | d |")]
    assert [(each.cls, each.part) for each in reading.problems] == [("broken_document", "sheet S")]


def test_letters_of_columns() -> None:
    assert [letters(n) for n in (1, 26, 27, 702, 703, 16384)] == ["A", "Z", "AA", "ZZ", "AAA", "XFD"]
