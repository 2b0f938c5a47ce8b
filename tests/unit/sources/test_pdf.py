"""PDF files: headings, paragraphs, lists, tables with and without rules, scans, passwords, broken files."""

from __future__ import annotations

import pytest

from tests.unit.sources.pdf_files import PICTURE, encrypted, pdf, rule, ruled, text
from zhiling.sources.pages.passages import Section
from zhiling.sources.pages.pdf.document import read_pdf
from zhiling.sources.pages.reading import Unreadable

LINE = "A line of the body that is long enough to reach the right side of its column on the page."
TABLE = [["Weight", "Price"], ["1 kg", "3 | 4"], ["重量", "价格"]]
AS_MARKDOWN = "| Weight | Price |\n| --- | --- |\n| 1 kg | 3 \\| 4 |\n| 重量 | 价格 |"


def page(*operators: str) -> str:
    return "\n".join(operators)


def sections(*pages: str) -> tuple[Section, ...]:
    return read_pdf(pdf(pages)).document.sections


def texts(*pages: str) -> list[str]:
    return [text for section in sections(*pages) for _, text in section.paragraphs]


def test_larger_letters_are_headings_and_pages_are_places() -> None:
    found = read_pdf(
        pdf(
            [
                page(text(50, 800, "Returns", 20), text(50, 770, LINE), text(50, 758, "and its end.")),
                page(
                    text(50, 800, "费用", 16),
                    text(50, 770, "请在三十天内"),
                    text(50, 757, "寄回包裹。"),
                    text(50, 700, LINE),
                ),
            ],
            title="Manual",
        )
    )
    assert found.document.title == "Manual"
    first, second = found.document.sections
    assert (first.at, first.headings) == ("page 1", ("Returns",))
    assert first.paragraphs == (("page 1", f"{LINE} and its end."),)
    assert (second.at, second.headings) == ("page 2", ("Returns", "费用"))
    assert second.paragraphs == (("page 2", "请在三十天内寄回包裹。"), ("page 2", LINE))


def test_bullets_and_numbers_are_a_list() -> None:
    lines = ["- one", "- two", "1. three", "2. four"]
    operators = [text(50, 700 - 14 * n, line) for n, line in enumerate(lines)]
    assert texts(page(text(50, 730, LINE), *operators)) == [LINE, "\n".join(lines)]


def test_a_table_with_rules_is_a_table_in_its_place() -> None:
    below = text(50, 500, "below")
    assert texts(page(text(50, 700, LINE), ruled(TABLE, 50, 650), below)) == [LINE, AS_MARKDOWN, "below"]


def test_a_merged_cell_holds_its_value_once() -> None:
    left, top = 50, 650
    lines = [rule(left, top - 20 * n, left + 200, top - 20 * n) for n in (0, 1, 2)]
    lines += [rule(left, top, left, top - 40), rule(left + 200, top, left + 200, top - 40)]
    lines += [rule(left + 100, top - 20, left + 100, top - 40)]  # parts the second row alone
    words = [text(left + 4, 636, "Both columns"), text(left + 4, 616, "a"), text(left + 104, 616, "b")]
    assert texts(page(*lines, *words)) == ["| Both columns |  |\n| --- | --- |\n| a | b |"]


def test_a_table_without_rules_is_told_by_its_columns() -> None:
    rows = [
        ["Part", "数量", "Price"],
        ["valve", "2", "10.50"],
        ["filter", "11", "3.20"],
        ["cable", "7", "0.99"],
    ]
    words = [
        text(50 + 120 * m, 600 - 16 * n, cell) for n, row in enumerate(rows) for m, cell in enumerate(row)
    ]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    assert texts(page(text(50, 650, LINE), *words)) == [
        LINE,
        "\n".join([lines[0], "|" + " --- |" * 3, *lines[1:]]),
    ]


def test_columns_of_a_page_are_no_table() -> None:
    left = [text(40, 700 - 12 * n, f"left line {n} of some words") for n in range(6)]
    right = [text(320, 700 - 12 * n, f"right line {n} of some words") for n in range(6)]
    assert not any("|" in each for each in texts(page(*left, *right)))


def test_a_table_goes_on_over_the_page() -> None:
    rest = ruled([["2 kg", "5"]], 50, 800)
    assert texts(page(text(50, 700, LINE), ruled(TABLE, 50, 100)), page(rest, text(50, 600, LINE))) == [
        LINE,
        AS_MARKDOWN + "\n| 2 kg | 5 |",
        LINE,
    ]


def test_running_headers_and_page_numbers_are_left_out() -> None:
    pages = [
        page(text(50, 820, "ACME manual"), text(50, 700, f"Body {word}."), text(290, 20, f"{n} / 4"))
        for n, word in enumerate(["one", "two", "three", "四"], 1)
    ]
    assert texts(*pages) == ["Body one.", "Body two.", "Body three.", "Body 四."]


def test_pages_without_text_are_told_once_and_the_others_read() -> None:
    reading = read_pdf(pdf([*[PICTURE] * 3, text(50, 700, "words"), "", PICTURE]))
    assert [section.at for section in reading.document.sections] == ["page 4"]
    (problem,) = reading.problems
    assert (problem.cls, problem.part) == ("no_text_layer", "page 1-3, 6")
    assert problem.message == "4 of 6 pages without text: a scan? run OCR first"


def test_a_scan_of_500_pages_is_one_bad_item() -> None:
    reading = read_pdf(pdf([PICTURE] * 500))
    assert reading.document.sections == ()
    assert [each.message for each in reading.problems] == [
        "500 of 500 pages without text: a scan? run OCR first"
    ]


def test_words_parted_at_the_end_of_a_line_are_joined() -> None:
    found = texts(
        page(
            text(50, 700, "A word that is long enough to be parted by the set-"), text(50, 688, "ter of it.")
        )
    )
    assert found == ["A word that is long enough to be parted by the setter of it."]


@pytest.mark.parametrize(
    ("content", "cls"),
    [
        (encrypted(), "encrypted_file"),
        (pdf([]), "empty_file"),
        (b"%PDF-1.4\n", "broken_document"),
        (b"no pdf", "broken_document"),
        (pdf([text(1, 1, "x")])[:200], "broken_document"),
    ],
)
def test_what_cannot_be_opened_is_told(content: bytes, cls: str) -> None:
    with pytest.raises(Unreadable) as told:
        read_pdf(content)
    assert told.value.cls == cls


def test_a_list_above_a_table_without_rules_stays_a_list() -> None:
    items = [
        text(50 + 20 * m, 700 - 14 * n, cell) for n in range(4) for m, cell in enumerate(["*", f"item {n}"])
    ]
    cells = [[f"{word}{n}" for word in ("a", "乙", "c")] for n in range(4)]
    words = [
        text(90 + 120 * m, 644 - 14 * n, cell) for n, row in enumerate(cells) for m, cell in enumerate(row)
    ]
    listed, found = texts(page(*items, *words))
    assert listed == "- item 0\n- item 1\n- item 2\n- item 3"
    assert found.split("\n")[0] == "| a0 | 乙0 | c0 |"
    assert len(found.split("\n")) == 5
