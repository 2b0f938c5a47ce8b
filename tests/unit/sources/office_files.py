"""Office files for tests, written by hand: the parts that a reader needs and nothing else."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape, quoteattr

RELATIONSHIPS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
NAMESPACES = {
    "w": "http://schemas.openxmlformats.org/wordprocessingml/2006/main",
    "a": "http://schemas.openxmlformats.org/drawingml/2006/main",
    "p": "http://schemas.openxmlformats.org/presentationml/2006/main",
    "m": "http://schemas.openxmlformats.org/officeDocument/2006/math",
    "c": "http://schemas.openxmlformats.org/drawingml/2006/chart",
    "mc": "http://schemas.openxmlformats.org/markup-compatibility/2006",
    "w14": "http://schemas.microsoft.com/office/word/2010/wordml",
    "r": RELATIONSHIPS,
}
DECLARED = " ".join(f'xmlns:{name}="{uri}"' for name, uri in NAMESPACES.items())


def zipped(parts: Mapping[str, str | bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip file of these members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def relations(targets: Mapping[str, tuple[str, str]]) -> str:
    """A part of relationships: id → (kind, target)."""
    lines = (
        f'<Relationship Id="{id}" Type="{RELATIONSHIPS}/{kind}" Target="{target}"/>'
        for id, (kind, target) in targets.items()
    )
    namespace = "http://schemas.openxmlformats.org/package/2006/relationships"
    return f'<Relationships xmlns="{namespace}">{"".join(lines)}</Relationships>'


# Word


def docx(body: str, **parts: str) -> bytes:
    """A Word file: the body's XML, and further parts by their kind (`styles`, `numbering`, …)."""
    related = {f"r{kind}": (kind.rstrip("0123456789"), f"{kind}.xml") for kind in parts}
    root = f"<w:document {DECLARED}><w:body>{body}</w:body></w:document>"
    return zipped(
        {
            "_rels/.rels": relations({"r1": ("officeDocument", "word/document.xml")}),
            "word/document.xml": root,
            "word/_rels/document.xml.rels": relations(related),
            **{f"word/{kind}.xml": content for kind, content in parts.items()},
        }
    )


def p(text: str, style: str = "", extra: str = "") -> str:
    """A paragraph of one run; `extra` stands in its properties."""
    named = f'<w:pStyle w:val="{style}"/>' if style else ""
    return f"<w:p><w:pPr>{named}{extra}</w:pPr>{run(text)}</w:p>" if text else "<w:p/>"


def run(text: str, properties: str = "") -> str:
    """A run with these properties."""
    return f'<w:r><w:rPr>{properties}</w:rPr><w:t xml:space="preserve">{escape(text)}</w:t></w:r>'


def tbl(rows: Sequence[Sequence[str]]) -> str:
    """A table; a cell that begins with `<w:` is XML (its properties and content)."""
    cells = (
        "".join(f"<w:tc>{c if c.startswith('<w:') else p(c) or p('')}</w:tc>" for c in row) for row in rows
    )
    return f"<w:tbl>{''.join(f'<w:tr>{row}</w:tr>' for row in cells)}</w:tbl>"


STYLES = (
    f"<w:styles {DECLARED}>"
    '<w:style w:type="paragraph" w:default="1" w:styleId="a"><w:name w:val="Normal"/></w:style>'
    '<w:style w:type="paragraph" w:styleId="T"><w:name w:val="Title"/></w:style>'
    '<w:style w:type="paragraph" w:styleId="1"><w:name w:val="heading 1"/></w:style>'
    '<w:style w:type="paragraph" w:styleId="2"><w:name w:val="heading 2"/></w:style>'
    '<w:style w:type="paragraph" w:styleId="own"><w:name w:val="章标题"/><w:basedOn w:val="1"/></w:style>'
    "</w:styles>"
)


def numbering(*lists: Sequence[tuple[str, str]]) -> str:
    """Lists 1, 2, … by the format and text of their levels."""
    parts: list[str] = []
    for number, levels in enumerate(lists, 1):
        inner = "".join(
            f'<w:lvl w:ilvl="{level}"><w:start w:val="1"/><w:numFmt w:val="{format}"/>'
            f"<w:lvlText w:val={quoteattr(text)}/></w:lvl>"
            for level, (format, text) in enumerate(levels)
        )
        parts.append(f'<w:abstractNum w:abstractNumId="{number}">{inner}</w:abstractNum>')
    parts += [
        f'<w:num w:numId="{number}"><w:abstractNumId w:val="{number}"/></w:num>'
        for number in range(1, len(lists) + 1)
    ]
    return f"<w:numbering {DECLARED}>{''.join(parts)}</w:numbering>"


def listed(text: str, list_id: int = 1, level: int = 0) -> str:
    """A paragraph of a list."""
    return p(text, extra=f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{list_id}"/></w:numPr>')


# PowerPoint


def pptx(slides: Sequence[str], notes: Mapping[int, str] | None = None, hidden: Sequence[int] = ()) -> bytes:
    """A presentation: the shapes of each slide, notes and hidden slides by number from 1."""
    ids = "".join(f'<p:sldId id="{255 + n}" r:id="s{n}"/>' for n in range(1, len(slides) + 1))
    parts = {
        "_rels/.rels": relations({"r1": ("officeDocument", "ppt/presentation.xml")}),
        "ppt/presentation.xml": f"<p:presentation {DECLARED}><p:sldIdLst>{ids}</p:sldIdLst></p:presentation>",
        "ppt/_rels/presentation.xml.rels": relations(
            {f"s{n}": ("slide", f"slides/slide{n}.xml") for n in range(1, len(slides) + 1)}
        ),
    }
    for n, shapes in enumerate(slides, 1):
        show = ' show="0"' if n in hidden else ""
        tree = f"<p:cSld><p:spTree>{shapes}</p:spTree></p:cSld>"
        parts[f"ppt/slides/slide{n}.xml"] = f"<p:sld {DECLARED}{show}>{tree}</p:sld>"
        if notes and n in notes:
            target = {"n": ("notesSlide", f"../notesSlides/note{n}.xml")}
            parts[f"ppt/slides/_rels/slide{n}.xml.rels"] = relations(target)
            body = shape(notes[n], "body") + shape(str(n), "sldNum")
            tree = f"<p:cSld><p:spTree>{body}</p:spTree></p:cSld>"
            parts[f"ppt/notesSlides/note{n}.xml"] = f"<p:notes {DECLARED}>{tree}</p:notes>"
    return zipped(parts)


def shape(text: str, kind: str | None = None) -> str:
    """A shape; its lines are paragraphs, a leading tab is a level; `kind`: of a placeholder."""
    mark = (
        ""
        if kind is None
        else f'<p:nvPr><p:ph type="{kind}"/></p:nvPr>'
        if kind
        else "<p:nvPr><p:ph/></p:nvPr>"
    )
    paragraphs = "".join(
        f'<a:p><a:pPr lvl="{len(line) - len(line.lstrip(chr(9)))}"/>'
        f"<a:r><a:t>{escape(line.strip())}</a:t></a:r></a:p>"
        for line in text.split("\n")
    )
    return f"<p:sp><p:nvSpPr>{mark}</p:nvSpPr><p:txBody>{paragraphs}</p:txBody></p:sp>"


# Excel


def xlsx(
    sheets: Mapping[str, str],
    shared: Sequence[str] = (),
    formats: Sequence[str] = (),
    hidden: Sequence[str] = (),
) -> bytes:
    """A workbook: the `sheetData` of each sheet, shared texts (XML of `si`), formats of styles 1, 2, …."""
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    states = {name: "hidden" if name in hidden else "visible" for name in sheets}
    listed_sheets = "".join(
        f'<sheet name={quoteattr(name)} sheetId="{n}" state="{state}" r:id="s{n}"/>'
        for n, (name, state) in enumerate(states.items(), 1)
    )
    own = "".join(
        f'<numFmt numFmtId="{164 + n}" formatCode={quoteattr(code)}/>' for n, code in enumerate(formats)
    )
    styled = "".join(f'<xf numFmtId="{164 + n}"/>' for n in range(len(formats)))
    related = {f"s{n}": ("worksheet", f"worksheets/sheet{n}.xml") for n in range(1, len(sheets) + 1)}
    return zipped(
        {
            "_rels/.rels": relations({"r1": ("officeDocument", "xl/workbook.xml")}),
            "xl/workbook.xml": f"<workbook {main} {DECLARED}><sheets>{listed_sheets}</sheets></workbook>",
            "xl/_rels/workbook.xml.rels": relations(
                {**related, "t": ("sharedStrings", "sharedStrings.xml"), "y": ("styles", "styles.xml")}
            ),
            "xl/sharedStrings.xml": f"<sst {main}>{''.join(f'<si>{text}</si>' for text in shared)}</sst>",
            "xl/styles.xml": (
                f"<styleSheet {main}><numFmts>{own}</numFmts>"
                f'<cellXfs><xf numFmtId="0"/>{styled}</cellXfs></styleSheet>'
            ),
            **{
                f"xl/worksheets/sheet{n}.xml": f"<worksheet {main}><sheetData>{rows}</sheetData></worksheet>"
                for n, rows in enumerate(sheets.values(), 1)
            },
        }
    )


def rows(table: Sequence[Sequence[str | float | None]], first: int = 1) -> str:
    """`sheetData` of a table that begins in column A; texts stand in their cells."""
    return "".join(
        f'<row r="{number}">'
        + "".join(
            f'<c r="{chr(65 + column)}{number}" t="inlineStr"><is><t>{escape(value)}</t></is></c>'
            if isinstance(value, str)
            else f'<c r="{chr(65 + column)}{number}"><v>{value}</v></c>'
            for column, value in enumerate(row)
            if value is not None
        )
        + "</row>"
        for number, row in enumerate(table, first)
    )
