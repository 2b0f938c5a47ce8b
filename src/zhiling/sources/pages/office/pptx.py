"""PowerPoint files into sections: a slide's title is its heading, bullets are lists, tables stay tables.

Speaker notes follow their slide, as a section of their own. Date, footer and slide number are left out, and
so are hidden slides, which are told. A slide that is broken is told; the others are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from zhiling.sources.pages.markdown_table import literal, table
from zhiling.sources.pages.office.drawing import drawn, text_of
from zhiling.sources.pages.office.package import (
    Package,
    attribute,
    child,
    children,
    descendants,
    local,
    whole_number,
)
from zhiling.sources.pages.reading import Reading, Unreadable
from zhiling.sources.pages.sections import SectionBuilder

_TITLES = frozenset({"title", "ctrTitle"})
_LEFT_OUT = frozenset({"dt", "ftr", "hdr", "sldNum", "sldImg"})
_BODIES = frozenset({"body", "obj", ""})  # placeholders whose paragraphs are bullets unless they say no


def read_pptx(package: Package) -> Reading:
    """The slides in their order.

    Raises:
        Unreadable: the presentation itself is missing or broken.
    """
    main = package.main()
    related = package.related(main)
    builder = SectionBuilder()
    problems: list[Unreadable] = []
    slides = child(package.tree(main), "sldIdLst")
    for number, each in enumerate(children(slides, "sldId"), 1):
        part = related.get(_relation(each), ("", ""))[1]
        slide = _Slide(package, part, f"slide {number}")
        try:
            slide.read(builder)
        except Unreadable as problem:
            slide.problems.append(problem)
        problems += [problem.at(f"slide {number}") for problem in slide.problems]
    return Reading(builder.document(), tuple(problems))


def _relation(element: Any) -> str:
    """The value of `r:id`; an attribute `id` without a namespace stands beside it."""
    return next((value for key, value in element.items() if key.endswith("}id")), "")


class _Slide:
    def __init__(self, package: Package, part: str, at: str) -> None:
        self._package, self._part, self._at = package, part, at
        self.problems: list[Unreadable] = []

    def read(self, builder: SectionBuilder) -> None:
        """Adds the slide's sections.

        Raises:
            Unreadable: it, or the notes that come last, is missing, broken or hidden.
        """
        root = self._package.tree(self._part)
        if root is None:
            raise Unreadable("broken_document", f"the file does not hold the slide's part {self._part!r}")
        shapes = child(root, "cSld", "spTree")
        title = self._title(shapes)
        if attribute(root, "show") in ("0", "false"):
            raise Unreadable("hidden_slide", f"the slide {title!r} is hidden; unhide it to read it")
        builder.heading(1, title, self._at)
        for text in self._shapes(shapes):
            builder.paragraph(text, self._at)
        if notes := self._notes():
            builder.heading(1, title, f"{self._at} notes")
            for text in notes:
                builder.paragraph(text, f"{self._at} notes")

    def _notes(self) -> list[str]:
        root = self._package.tree(self._package.first(self._part, "notesSlide"))
        bodies = [each for each in descendants(root, "sp") if _placeholder(each) == "body"]
        texts = (text for body in bodies for text, _ in _paragraphs(child(body, "txBody"), bullets=False))
        return [literal(text) for text in texts]

    def _title(self, shapes: Any) -> str:
        titles = (each for each in descendants(shapes, "sp") if _placeholder(each) in _TITLES)
        texts = (text_of(child(each, "txBody")) for each in titles)
        return next(filter(None, texts), "")

    def _shapes(self, parent: Any) -> Iterator[str]:
        """The texts of all shapes in the order in which they stand in the file (that of reading aloud)."""
        for shape in parent if parent is not None else ():
            name = local(shape)
            if name == "sp":
                yield from self._shape(shape)
            elif name == "grpSp":
                yield from self._shapes(shape)
            elif name == "AlternateContent":
                yield from self._alternative(shape)
            elif name == "graphicFrame":
                yield from (table(_rows(each)) for each in descendants(shape, "tbl"))
                texts, problems = drawn(self._package, self._part, shape)
                self.problems += problems
                yield from texts

    def _alternative(self, shape: Any) -> Iterator[str]:
        chosen = list(self._shapes(child(shape, "Choice")))
        yield from chosen or self._shapes(child(shape, "Fallback"))

    def _shape(self, shape: Any) -> Iterator[str]:
        kind = _placeholder(shape)
        if kind in _TITLES or kind in _LEFT_OUT:
            return
        found = list(_paragraphs(child(shape, "txBody"), bullets=kind in _BODIES))
        items: list[str] = []
        for text, level in [*found, ("", None)]:
            if level is not None:
                items.append(f"{'    ' * level}{text}")
                continue
            if items:
                yield "\n".join(items)
            items = []
            yield literal(text)


def _placeholder(shape: Any) -> str | None:
    """The type of a placeholder (empty: its usual one); None for a shape that is none."""
    mark = next((each for each in descendants(child(shape, "nvSpPr"), "ph")), None)
    return attribute(mark, "type") if mark is not None else None


def _paragraphs(body: Any, *, bullets: bool) -> Iterator[tuple[str, int | None]]:
    """Texts, and the level of those that are list items, which begin with their mark."""
    listed = list(children(body, "p"))
    bullets = bullets and sum(bool(text_in(each)) for each in listed) > 1
    number = 0
    for paragraph in listed:
        text, properties = text_in(paragraph), child(paragraph, "pPr")
        if not text:
            continue
        level = max(0, min(whole_number(attribute(properties, "lvl")), 8))
        automatic = child(properties, "buAutoNum")
        number = whole_number(attribute(automatic, "startAt"), number + 1) if automatic is not None else 0
        if automatic is not None:
            yield f"{number}. {' '.join(text.split())}", level
        elif child(properties, "buNone") is None and (bullets or child(properties, "buChar") is not None):
            yield f"- {' '.join(text.split())}", level
        else:
            yield text, None


def text_in(paragraph: Any) -> str:
    """The text of a paragraph of DrawingML, with its line breaks."""
    parts = descendants(paragraph, "t", "br")
    return "".join((each.text or "") if local(each) == "t" else "\n" for each in parts).strip()


def _rows(element: Any) -> list[list[str]]:
    """The cells of a table; those that a merged one covers hold no text in the file or are passed over."""
    return [
        [
            "" if _covered(each) else "\n".join(text_in(one) for one in descendants(each, "p"))
            for each in children(row, "tc")
        ]
        for row in children(element, "tr")
    ]


def _covered(element: Any) -> bool:
    return any(attribute(element, name) in ("1", "true") for name in ("hMerge", "vMerge"))
