"""Builds the sections of a document while its lines or elements go by."""

from __future__ import annotations

from zhiling.sources.pages.passages import At, Document, Section


class SectionBuilder:
    """Takes headings and paragraphs in order.

    A heading with only deeper headings below it shapes their path; one with nothing below it is a section
    of its own, so no word is lost.
    """

    def __init__(self) -> None:
        self.title = ""
        self._sections: list[Section] = []
        self._path: list[tuple[int, str]] = []  # level and heading
        self._at: At = 1
        self._paragraphs: list[tuple[At, str]] = []
        self._bare = False  # the last heading has nothing below it yet

    def heading(self, level: int, text: str, at: At) -> None:
        """Begins a section below the last heading of a smaller level."""
        self._close(level)
        self._path = [(depth, name) for depth, name in self._path if depth < level]
        if text:
            self._path.append((level, text))
            self.title = self.title or text
        self._at, self._bare = at, bool(text)

    def paragraph(self, text: str, at: At) -> None:
        """Adds text to the section; blank text is passed over."""
        if not text.strip():
            return
        if not self._paragraphs and not self._path:
            self._at = at
        self._paragraphs.append((at, text))

    def document(self, title: str = "") -> Document:
        """The document; its title is the one given, else the first heading."""
        self._close(0)
        return Document(title or self.title, tuple(self._sections))

    def _close(self, next_level: int) -> None:
        alone = self._bare and next_level <= self._path[-1][0]
        if self._paragraphs or alone:
            headings = tuple(name for _, name in self._path)
            self._sections.append(Section(self._at, headings, tuple(self._paragraphs)))
        self._paragraphs, self._bare = [], False
