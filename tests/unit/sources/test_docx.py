"""Word files: headings, lists, tables, notes, boxes, formulas, and what is left out."""

from __future__ import annotations

import pytest

from tests.unit.sources.office_files import DECLARED, STYLES, docx, listed, numbering, p, run, tbl, zipped
from zhiling.sources.pages.office.docx import read_docx
from zhiling.sources.pages.office.package import Package
from zhiling.sources.pages.passages import Section

TWO_LISTS = numbering([("bullet", "•"), ("decimal", "%2)")], [("decimal", "%1."), ("decimal", "%1.%2.")])


def sections(body: str, **parts: str) -> tuple[Section, ...]:
    return read_docx(Package(docx(body, **parts))).document.sections


def texts(body: str, **parts: str) -> list[str]:
    return [text for section in sections(body, **parts) for _, text in section.paragraphs]


def test_headings_are_told_by_style_in_any_language_and_by_outline_level() -> None:
    body = (
        p("手册", "T")
        + p("前言", "own")
        + p("你好。")
        + p("Deep", "2")
        + p("Deeper", extra='<w:outlineLvl w:val="2"/>')
        + p("text")
    )
    reading = read_docx(Package(docx(body, styles=STYLES)))
    assert reading.document.title == "手册"
    assert [(each.at, each.headings) for each in reading.document.sections] == [
        ("paragraph 2", ("手册", "前言")),
        ("paragraph 5", ("手册", "前言", "Deep", "Deeper")),
    ]


def test_numbers_of_headings_are_part_of_them() -> None:
    number = '<w:numPr><w:ilvl w:val="{}"/><w:numId w:val="1"/></w:numPr>'
    body = p("甲", "1", number.format(0)) + p("text") + p("乙", "2", number.format(1)) + p("text")
    numbers = numbering([("chineseCountingThousand", "第%1章"), ("decimal", "%2.")])
    found = sections(body, styles=STYLES, numbering=numbers)
    assert found[1].headings == ("第一章 甲", "1. 乙")


def test_lists_are_nested_and_numbered_as_word_shows_them() -> None:
    body = listed("one") + listed("a", level=1) + listed("b", level=1) + listed("two") + listed("c", level=1)
    ordered = listed("1", 2) + listed("2", 2) + listed("2.1", 2, 1) + listed("3", 2) + p("") + listed("4", 2)
    assert texts(body + p("between") + ordered, numbering=TWO_LISTS) == [
        "- one\n    1) a\n    2) b\n- two\n    1) c",
        "between",
        "1. 1\n2. 2\n    - 2.1. 2.1\n3. 3\n4. 4",
    ]


def test_tables_keep_merged_cells_once_nested_lists_and_pipes() -> None:
    wide = f'<w:tcPr><w:gridSpan w:val="2"/></w:tcPr>{p("价格 | 税")}'
    top, below = (f"<w:tcPr><w:vMerge{state}/></w:tcPr>{p('A')}" for state in (' w:val="restart"', ""))
    body = tbl([["x", wide], [top, "1", listed("one") + listed("two")], [below, "2", p("two") + p("lines")]])
    assert texts(body, numbering=TWO_LISTS) == [
        "| x | 价格 \\| 税 |  |\n| --- | --- | --- |\n| A | 1 | - one<br>- two |\n|  | 2 | two<br>lines |"
    ]


def test_a_table_of_one_cell_is_a_frame() -> None:
    inner = p("Note", "1") + p("text") + tbl([["a", "b"], ["c", "d"]])
    (section,) = sections(tbl([[inner]]), styles=STYLES)
    assert section.headings == ("Note",)
    assert [text for _, text in section.paragraphs] == ["text", "| a | b |\n| --- | --- |\n| c | d |"]


def test_deleted_and_hidden_text_is_left_out_and_inserted_text_is_in() -> None:
    body = (
        f"<w:p>{run('kept')}<w:del>{run(' gone')}</w:del><w:ins>{run(' new')}</w:ins>"
        f"{run(' unseen', '<w:vanish/>')}<w:hyperlink>{run(' 链接')}</w:hyperlink></w:p>"
        f"<w:sdt><w:sdtContent>{p('in a control')}</w:sdtContent></w:sdt>"
    )
    assert texts(body) == ["kept new 链接", "in a control"]


def test_footnotes_stand_behind_their_paragraph() -> None:
    notes = f'<w:footnotes {DECLARED}><w:footnote w:id="2">{p("见第三章。")}</w:footnote></w:footnotes>'
    body = f'<w:p>{run("See")}<w:r><w:footnoteReference w:id="2"/></w:r></w:p>{p("next")}'
    assert texts(body, footnotes=notes) == ["See[^2]", "[^2]: 见第三章。", "next"]


def test_a_text_box_is_read_once_though_it_stands_there_twice() -> None:
    box = f"<w:txbxContent>{p('boxed')}</w:txbxContent>"
    new, old = f"<w:drawing>{box}</w:drawing>", f"<w:pict>{box}</w:pict>"
    choice = f"<mc:Choice>{new}</mc:Choice><mc:Fallback>{old}</mc:Fallback>"
    drawn = f"<mc:AlternateContent>{choice}</mc:AlternateContent>"
    assert texts(f"<w:p><w:r>{drawn}</w:r>{run('anchor')}</w:p>") == ["anchor", "boxed"]


def test_formulas_are_latex() -> None:
    fraction = "<m:f><m:num><m:r><m:t>𝑎</m:t></m:r></m:num><m:den><m:r><m:t>2π</m:t></m:r></m:den></m:f>"
    power = "<m:sSup><m:e><m:r><m:t>x</m:t></m:r></m:e><m:sup><m:r><m:t>n</m:t></m:r></m:sup></m:sSup>"
    body = f"<w:p>{run('so ')}<m:oMath>{fraction}<m:r><m:t>=</m:t></m:r>{power}</m:oMath></w:p>"
    assert texts(body) == [r"so $\frac{a}{2\pi}=x^{n}$"]


def test_boxes_to_tick_are_written_as_markdown_does() -> None:
    box = '<w14:checkbox><w14:checked w14:val="{}"/></w14:checkbox>'
    tick = f"<w:sdt><w:sdtPr>{box}</w:sdtPr><w:sdtContent/></w:sdt>"
    assert texts(f"<w:p>{tick.format(1)}{run(' 是')}{tick.format(0)}{run(' 否')}</w:p>") == ["[x] 是[ ] 否"]


def test_a_chart_is_the_table_that_it_draws() -> None:
    points = (
        '<c:{0}><c:strRef><c:strCache><c:pt idx="0"><c:v>{1}</c:v></c:pt></c:strCache></c:strRef></c:{0}>'
    )
    series = (
        points.format("tx", "销量") + points.format("cat", "Q1") + points.format("val", "4.2999999999999998")
    )
    chart = f"<c:chartSpace {DECLARED}><c:chart><c:ser>{series}</c:ser></c:chart></c:chartSpace>"
    body = '<w:p><w:r><w:drawing><c:chart r:id="rchart1"/></w:drawing></w:r></w:p>'
    assert texts(body, chart1=chart) == ["|  | 销量 |\n| --- | --- |\n| Q1 | 4.3 |"]


def test_a_broken_chart_is_told_and_the_text_is_read() -> None:
    body = f'<w:p>{run("text")}<w:r><w:drawing><c:chart r:id="rchart1"/></w:drawing></w:r></w:p>'
    reading = read_docx(Package(docx(body, chart1="<c:chart")))
    assert [text for section in reading.document.sections for _, text in section.paragraphs] == ["text"]
    assert [(each.cls, each.part) for each in reading.problems] == [("broken_document", "word/chart1.xml")]


def test_places_are_pages_where_word_stored_them() -> None:
    body = p("one") + f"<w:p><w:r><w:lastRenderedPageBreak/><w:t>two</w:t></w:r></w:p>{p('still two')}"
    (section,) = sections(body)
    assert section.paragraphs == (("page 1", "one"), ("page 2", "two"), ("page 2", "still two"))


@pytest.mark.parametrize("text", ["# no heading", "| no | table |", "> no quote", "---", "```"])
def test_text_that_looks_like_markdown_stays_text(text: str) -> None:
    assert texts(p(text)) == ["\\" + text]


def test_strict_files_are_read_like_transitional_ones() -> None:
    strict = "http://purl.oclc.org/ooxml"
    document = (
        f'<d:document xmlns:d="{strict}/wordprocessingml/main"><d:body><d:p><d:pPr><d:outlineLvl d:val="0"/>'
        "</d:pPr><d:r><d:t>严格</d:t></d:r></d:p></d:body></d:document>"
    )
    kind = f"{strict}/officeDocument/relationships/officeDocument"
    relation = f'<r:Relationship Id="a" Type="{kind}" Target="/d.xml"/>'
    relations = f'<r:Relationships xmlns:r="x">{relation}</r:Relationships>'
    package = Package(zipped({"_rels/.rels": relations, "d.xml": document}))
    assert read_docx(package).document.sections[0].headings == ("严格",)
