"""PowerPoint files: titles, bullets, boxes, tables, notes, hidden and broken slides."""

from __future__ import annotations

import io
import zipfile

from tests.unit.sources.office_files import pptx, shape, zipped
from zhiling.sources.pages.office.package import Package
from zhiling.sources.pages.office.pptx import read_pptx
from zhiling.sources.pages.reading import Reading

CELL = "<a:tc{}><a:txBody><a:p><a:r><a:t>{}</a:t></a:r></a:p></a:txBody></a:tc>"


def read(slides: list[str], **more: object) -> Reading:
    return read_pptx(Package(pptx(slides, **more)))  # type: ignore[arg-type]


def test_a_slide_is_its_title_bullets_boxes_and_notes() -> None:
    slides = [
        shape("退货流程", "title")
        + shape("first\n\tnested\n第二", "")
        + shape("a box")
        + shape("7", "sldNum"),
        shape("two\nlines"),
    ]
    reading = read(slides, notes={1: "Say this.\n说这个。"})
    assert reading.document.title == "退货流程"
    assert [(each.at, each.headings) for each in reading.document.sections] == [
        ("slide 1", ("退货流程",)),
        ("slide 1 notes", ("退货流程",)),
        ("slide 2", ()),
    ]
    told = [[text for _, text in each.paragraphs] for each in reading.document.sections]
    assert told == [
        ["- first\n    - nested\n- 第二", "a box"],
        ["Say this.", "说这个。"],
        ["two", "lines"],
    ]


def test_merged_cells_of_a_table_hold_their_value_once() -> None:
    first = CELL.format(' gridSpan="2"', "Price") + CELL.format(' hMerge="1"', "Price")
    second = CELL.format("", "a|b") + CELL.format("", "价")
    rows = f"<a:tr>{first}</a:tr><a:tr>{second}</a:tr>"
    frame = f"<p:graphicFrame><a:graphic><a:tbl>{rows}</a:tbl></a:graphic></p:graphicFrame>"
    (section,) = read([f"<p:grpSp>{frame}</p:grpSp>"]).document.sections
    assert section.paragraphs[0][1] == "| Price |  |\n| --- | --- |\n| a\\|b | 价 |"


def test_numbered_paragraphs_of_a_box_are_numbered() -> None:
    item = '<a:p><a:pPr><a:buAutoNum type="arabicPeriod"/></a:pPr><a:r><a:t>{}</a:t></a:r></a:p>'
    box = f"<p:sp><p:nvSpPr/><p:txBody>{item.format('one')}{item.format('two')}</p:txBody></p:sp>"
    (section,) = read([box]).document.sections
    assert section.paragraphs[0][1] == "1. one\n2. two"


def test_hidden_and_broken_slides_are_told_and_the_others_read() -> None:
    slides = [shape("one", "title"), shape("秘密", "title"), "<broken", shape("four", "title")]
    reading = read(slides, hidden=[2])
    assert [each.headings for each in reading.document.sections] == [("one",), ("four",)]
    assert [(each.cls, each.part) for each in reading.problems] == [
        ("hidden_slide", "slide 2"),
        ("broken_document", "slide 3"),
    ]
    assert "秘密" in reading.problems[0].message


def test_a_file_without_its_slides_is_told_by_slide() -> None:
    archive = pptx([shape("one", "title")])
    with zipfile.ZipFile(io.BytesIO(archive)) as whole:
        parts = {name: whole.read(name) for name in whole.namelist() if "slides/" not in name}
    reading = read_pptx(Package(zipped(parts)))
    assert reading.document.sections == ()
    assert [(each.cls, each.part) for each in reading.problems] == [("broken_document", "slide 1")]
