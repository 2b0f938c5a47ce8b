"""HTML: nested lists, tables with spans, hidden parts, code, tags that are missing or cross each other."""

from __future__ import annotations

import pytest

from zhiling.sources.pages.html_text import read_html
from zhiling.sources.pages.passages import Section, passages


def sections(page: str) -> tuple[Section, ...]:
    return read_html(enumerate(page.split("\n"), 1)).sections


def texts(page: str) -> list[str]:
    return [text for section in sections(page) for _, text in section.paragraphs]


def test_lists_are_nested_and_ordered_ones_numbered() -> None:
    page = (
        "<ul><li>one<ul><li>a</li><li><p>二</p><p>more</p></li></ul></li><li>two"
        "<ol start=3><li>c<li value=7>g<li>h</ol></ul>"
    )
    assert texts(page) == ["- one\n    - a\n    - 二\n      more\n- two\n    3. c\n    7. g\n    8. h"]


def test_cells_that_span_hold_their_value_once() -> None:
    page = (
        "<table><caption>价目</caption><tr><th colspan=2>Price | 税</th><th rowspan=2>Note</th></tr>"
        "<tr><td>1<td>2</tr><tr><td rowspan=0>x<br>y</td><td><ul><li>a<li>b</ul></td><td>z</td></tr></table>"
    )
    assert texts(page) == [
        "价目",
        "| Price \\| 税 |  | Note |\n| --- | --- | --- |\n| 1 | 2 |  |\n| x<br>y | - a<br>- b | z |",
    ]


def test_a_table_that_only_arranges_is_its_content() -> None:
    page = "<table><tr><td><h1>Title</h1><p>text</p></td></tr></table>"
    page += "<table role=presentation><tr><td>a<td>b</table>"
    (section,) = sections(page)
    assert section.headings == ("Title",)
    assert [text for _, text in section.paragraphs] == ["text", "a", "b"]


@pytest.mark.parametrize(
    "hidden",
    [
        "<script>no</script>",
        "<style>no</style>",
        "<noscript><p>no</p></noscript>",
        "<!-- no -->",
        "<nav><ul><li>no</ul></nav>",
        "<template><h1>no</h1></template>",
        "<p hidden>no</p>",
        "<div style='color: red; DISPLAY : none'><p>no</p></div>",
        "<span style=visibility:hidden>no</span>",
        "<svg><title>no</title><text>no</text></svg>",
        "<select><option>no</select>",
    ],
)
def test_what_a_reader_does_not_see_is_left_out(hidden: str) -> None:
    assert texts(f"<p>before</p>{hidden}<p>之后</p>") == ["before", "之后"]
    assert "no" not in (read_html([(1, f"<p>x</p>{hidden}")]).title)


def test_code_is_fenced_and_text_that_looks_like_markdown_stays_text() -> None:
    page = "<pre># comment\n  ```x```</pre><p># no heading</p><p>2 * 3 &lt; 7 snake_case</p>"
    assert texts(page) == [
        "````\n# comment\n  ```x```\n````",
        "\\# no heading",
        "2 * 3 < 7 snake_case",
    ]


def test_pictures_give_their_text_and_boxes_their_tick() -> None:
    page = "<p><img alt='一只猫' src=x> and <input type=checkbox checked>yes <input type=checkbox>no</p>"
    assert texts(page) == ["一只猫 and [x] yes [ ] no"]


@pytest.mark.parametrize(
    "page",
    [
        "<p>one<p>two<div>three</p></div>",
        "one<div>two</section></div>three",
        "<b><i>one</b><p>two</i></p></p>three",
        "<table><td>one</td></table>two<tr>three",
        "<ul>one<li>two</ul></li>three",
        "<h1>one<h2>two</h1>three",
        "<td>one</td><li>two</li><dd>three",
        "<table><tr><td>one<table><tr><td>two</table><td>three",
    ],
)
def test_crossed_and_missing_tags_lose_no_text(page: str) -> None:
    found = " ".join(passage.text for passage in passages(read_html([(1, page)]), 4000))
    headings = " ".join(" ".join(section.headings) for section in sections(page))
    assert all(word in found + headings for word in ("one", "two", "three"))


def test_lines_are_those_of_the_file() -> None:
    page = "<h1>A</h1>\n<p>\n  first</p>\n<ul>\n<li>item</ul>\n<table><tr>\n<td>a<td>b</table>"
    assert [line for section in sections(page) for line, _ in section.paragraphs] == [3, 5, 7]


def test_spans_cannot_make_a_small_page_large() -> None:
    row = "<tr>" + "<td colspan=100 rowspan=100>x</td>" * 20 + "</tr>"
    (text,) = texts(f"<table>{row * 50}</table>")
    assert text.count("x") == 1000
    assert len(text) < 10_000_000
