"""Writes documents whose content is known: docx, pptx, xlsx, pdf and html, in English and Chinese.

    python documents_written.py FOLDER [--count 12] [--seed 7]

It runs in the environment of `benchmarks/peers/documents.txt`: python-docx, python-pptx, XlsxWriter and
reportlab (Chinese by the built-in CID font STSong-Light) write the files. Beside each NAME.EXT stands
NAME.EXT.md, the truth in Markdown: headings, paragraphs, nested lists, tables with merged cells and pipes,
and what each type has besides: tables without rules (pdf), notes and boxes (pptx), dates and shares (xlsx).
"""

from __future__ import annotations

import argparse
import datetime as dt
import random
from collections.abc import Callable, Sequence
from pathlib import Path

WORDS = {
    language: words.split()
    for language, words in {
        "en": "parcel refund deposit window invoice battery charger warranty courier label return branch"
        " counter signature delay customs voucher account balance printer toner manual valve filter sensor"
        " cable",
        "zh": "包裹 退款 押金 窗口 发票 电池 充电器 保修 快递 标签 退货 网点 柜台"
        " 签名 延误 海关 代金券 账户 余额 打印机 墨粉"
        " 手册 阀门 滤网 传感器 电缆",
    }.items()
}
JOIN = {"en": " ", "zh": ""}
STOP = {"en": ".", "zh": "。"}
Table = list[list[str]]


class Content:
    """Made-up headings, sentences, lists and tables of one language."""

    def __init__(self, language: str, seed: int) -> None:
        self._random = random.Random(f"{language}{seed}")
        self._language = language

    def phrase(self, length: int) -> str:
        """So many words."""
        words = self._random.choices(WORDS[self._language], k=length)
        return JOIN[self._language].join(words)

    def paragraph(self) -> str:
        """Two to four sentences."""
        stop = STOP[self._language]
        sentences = [
            self.phrase(self._random.randint(6, 14)) + stop for _ in range(self._random.randint(2, 4))
        ]
        return (" " if self._language == "en" else "").join(sentences)

    def items(self) -> list[tuple[int, str]]:
        """Levels and texts of a list with a list in it."""
        return [(level, self.phrase(3)) for level in (0, 1, 1, 0, 0)]

    def table(self, rows: int = 5, columns: int = 4) -> Table:
        """A header and rows; some numbers, one pipe, one empty cell."""
        head = [f"{self.phrase(1)} {chr(65 + column)}" for column in range(columns)]
        body = [[f"{self.phrase(1)} {row}-{column}" for column in range(columns)] for row in range(rows - 1)]
        body[0][1] = f"{self._random.randint(1000, 9999)}.{self._random.randint(10, 99)}"
        body[1][2] = f"{self.phrase(1)} | {self.phrase(1)} 9"
        body[2][3] = ""
        return [head, *body]


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """The truth about a table."""
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + " --- |" * len(rows[0]), *lines[1:]])


def markdown_list(items: Sequence[tuple[int, str]]) -> str:
    """The truth about a list."""
    return "\n".join(f"{'    ' * level}- {text}" for level, text in items)


def write_docx(path: Path, content: Content) -> str:
    """A title, chapters, lists by style, a table with a merged header, a cell of two paragraphs, a header."""
    from docx import Document

    document = Document()
    truth = [f"# {(title := content.phrase(4))}"]
    document.add_heading(title, 0)
    document.sections[0].header.paragraphs[0].text = "running header"
    for _ in range(4):
        heading, text, items, table = content.phrase(3), content.paragraph(), content.items(), content.table()
        document.add_heading(heading, 1)
        document.add_paragraph(text)
        for level, item in items:
            document.add_paragraph(item, style="List Bullet 2" if level else "List Bullet")
        numbered = [content.phrase(3) for _ in range(3)]
        for item in numbered:
            document.add_paragraph(item, style="List Number")
        merged = [[content.phrase(2), "", *table[0][2:]], *table[1:]]
        grid = document.add_table(len(merged), len(merged[0]))
        for row, cells in enumerate(merged):
            for column, cell in enumerate(cells):
                grid.cell(row, column).text = cell
        grid.cell(0, 0).merge(grid.cell(0, 1))
        truth += [f"## {heading}", text, markdown_list(items), "\n".join(f"- {item}" for item in numbered)]
        truth.append(markdown_table(merged))
    document.save(str(path))
    return "\n\n".join(truth)


def write_pptx(path: Path, content: Content) -> str:
    """Slides with bullets, a text box, a table with a merged cell, and notes."""
    from pptx import Presentation
    from pptx.util import Inches

    deck = Presentation()
    truth: list[str] = []
    for _ in range(4):
        slide = deck.slides.add_slide(deck.slide_layouts[1])
        title, items, table, boxed, said = (
            content.phrase(3), content.items(), content.table(), content.phrase(5), content.paragraph(),
        )  # fmt: skip
        slide.shapes.title.text = title
        frame = slide.placeholders[1].text_frame
        for index, (level, item) in enumerate(items):
            paragraph = frame.paragraphs[0] if not index else frame.add_paragraph()
            paragraph.text, paragraph.level = item, level
        box = slide.shapes.add_textbox(Inches(1), Inches(5), Inches(5), Inches(1))
        box.text_frame.text = boxed
        merged = [[content.phrase(2), "", *table[0][2:]], *table[1:]]
        grid = slide.shapes.add_table(
            len(merged), len(merged[0]), Inches(1), Inches(6), Inches(8), Inches(2)
        ).table
        for row, cells in enumerate(merged):
            for column, cell in enumerate(cells):
                grid.cell(row, column).text = cell
        grid.cell(0, 0).merge(grid.cell(0, 1))
        slide.notes_slide.notes_text_frame.text = said
        truth += [f"# {title}", markdown_list(items), boxed, markdown_table(merged), said]
    deck.save(str(path))
    return "\n\n".join(truth)


def write_xlsx(path: Path, content: Content) -> str:
    """Sheets of two tables each, with a line of text above, dates, shares, formulas and a merged cell."""
    import xlsxwriter

    truth: list[str] = []
    with xlsxwriter.Workbook(str(path)) as book:
        day, share = book.add_format({"num_format": "yyyy-mm-dd"}), book.add_format({"num_format": "0.0%"})
        for number in range(3):
            name = f"{content.phrase(2)} {number}"[:31]
            sheet = book.add_worksheet(name)
            title, table = content.phrase(5), content.table(8, 5)
            sheet.merge_range("A1:C1", title)
            for row, cells in enumerate(table, 2):
                sheet.write_row(row, 0, cells)
            date, amount = dt.date(2024, 2, 1 + number), 7 * (number + 3)
            sheet.write_datetime("B13", dt.datetime.combine(date, dt.time()), day)
            sheet.write_number("C13", 0.125, share)
            sheet.write_formula("D13", "=7*3", None, amount)
            labels = [content.phrase(1) + " x", content.phrase(1) + " y", content.phrase(1) + " z", "total"]
            sheet.write_row("A12", labels)
            sheet.write("A13", content_first := content.phrase(2))
            second = [labels, [content_first, date.isoformat(), "12.5%", str(amount)]]
            truth += [f"# {name}", title, markdown_table(table), markdown_table(second)]
    return "\n\n".join(truth)


def write_pdf(path: Path, content: Content) -> str:
    """Headings by size, paragraphs, bullets, tables with rules (and a merged cell) and without."""
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.styles import ParagraphStyle, getSampleStyleSheet
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.cidfonts import UnicodeCIDFont
    from reportlab.platypus import ListFlowable, Paragraph, SimpleDocTemplate, Spacer, TableStyle
    from reportlab.platypus import Table as Grid

    pdfmetrics.registerFont(UnicodeCIDFont("STSong-Light"))
    chinese = "-zh-" in path.name
    sheet = getSampleStyleSheet()
    font = {"fontName": "STSong-Light", "wordWrap": "CJK"} if chinese else {}
    styles = {
        name: ParagraphStyle(name + "x", parent=sheet[name], **font)
        for name in ("Title", "Heading2", "BodyText")
    }
    truth = [f"# {(title := content.phrase(4))}"]
    story: list[object] = [Paragraph(title, styles["Title"])]
    for chapter in range(4):
        heading, text, table = content.phrase(3), content.paragraph(), content.table()
        items = [content.phrase(4) for _ in range(4)]
        face = [("FONTNAME", (0, 0), (-1, -1), "STSong-Light")] if chinese else []
        if chapter % 2:  # no rules but one below the header
            look = [("LINEBELOW", (0, 0), (-1, 0), 0.5, "black")]
        else:
            table[0] = [content.phrase(2), "", *table[0][2:]]
            look = [("GRID", (0, 0), (-1, -1), 0.5, "black"), ("SPAN", (0, 0), (1, 0))]
        bullets = [Paragraph(item, styles["BodyText"]) for item in items]
        story += [
            Paragraph(heading, styles["Heading2"]),
            Paragraph(text, styles["BodyText"]),
            ListFlowable(bullets, bulletType="bullet", start="•"),
            Grid(table, style=TableStyle([*look, *face])),
            Spacer(1, 12),
        ]
        truth += [f"## {heading}", text, markdown_list([(0, item) for item in items]), markdown_table(table)]
    SimpleDocTemplate(str(path), pagesize=A4).build(story)
    return "\n\n".join(truth)


def write_html(path: Path, content: Content) -> str:
    """A page with script, style, navigation and a hidden part around chapters, nested lists and a table."""
    truth = [f"# {(title := content.phrase(4))}"]
    parts = [f"<h1>{title}</h1><nav><a href='#'>home</a></nav><p hidden>unseen</p><script>var x = 1</script>"]
    for _ in range(4):
        heading, text, items, table = content.phrase(3), content.paragraph(), content.items(), content.table()
        outer, inner, deeper, third, last = (f"<li>{item}" for _, item in items)
        nested = f"<ul>{outer}<ul>{inner}{deeper}</ul>{third}{last}</ul>"
        merged = [[content.phrase(2), "", *table[0][2:]], *table[1:]]
        heads = "".join(f"<th>{cell}</th>" for cell in merged[0][2:])
        first = f"<tr><th colspan=2>{merged[0][0]}</th>{heads}</tr>"
        rest = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in merged[1:])
        parts.append(f"<h2>{heading}</h2><p>{text}</p>{nested}<table>{first}{rest}</table>")
        truth += [f"## {heading}", text, markdown_list(items), markdown_table(merged)]
    head = "<!DOCTYPE html><html><head><meta charset=utf-8><style>p {}</style></head>"
    page = f"{head}<body>{''.join(parts)}</body></html>"
    path.write_text(page, encoding="utf-8")
    return "\n\n".join(truth)


WRITERS: dict[str, Callable[[Path, Content], str]] = {
    "docx": write_docx,
    "html": write_html,
    "pdf": write_pdf,
    "pptx": write_pptx,
    "xlsx": write_xlsx,
}


def main() -> None:
    """Writes all files."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--count", type=int, default=12, help="files of each type and language")
    arguments.add_argument("--seed", type=int, default=7)
    given = arguments.parse_args()
    for kind, write in WRITERS.items():
        for language in WORDS:
            for number in range(given.count):
                path = given.folder / f"{kind}-{language}-{number:02}.{kind}"
                truth = write(path, Content(language, given.seed * 1000 + number))
                path.with_name(path.name + ".md").write_text(truth + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
