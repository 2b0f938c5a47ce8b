"""An Office Open XML file: its parts as XML trees, and how they refer to each other.

The XML comes from anywhere, so the parser resolves no entity, opens no file and no connection, and keeps to
libxml2's limits of depth (256), of a name and of a text (10 MB). A document type declaration is refused: the
standard forbids it (ECMA-376-2, 8.1.4), and entities are its only use.
Namespaces are passed over: strict and transitional files use the same local names.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from zhiling.sources.files import unzip
from zhiling.sources.pages.reading import Unreadable, parser

MAX_PACKAGE_BYTES = 1 << 30  # of all parts, unpacked
MAX_TREE_BYTES = 64 << 20  # of a part that is read as a whole; the tree takes about ten times as much
OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,9}")
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_SAFE = {
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "huge_tree": False,
    "remove_comments": True,
    "remove_pis": True,
}


class Package:
    """The parts of a file that has been opened safely.

    Raises:
        Unreadable: the file is no zip file, is encrypted, or is a bomb.
    """

    def __init__(self, content: bytes) -> None:
        if content.startswith(OLE_MAGIC):
            raise _ole(content)
        self._archive = unzip.opened(content, MAX_PACKAGE_BYTES)
        for entry in self._archive.infolist():
            unzip.check(entry)
        self._entries = {entry.filename.lstrip("/"): entry for entry in self._archive.infolist()}
        self._related: dict[str, dict[str, tuple[str, str]]] = {}
        self._etree = parser("lxml.etree")

    def main(self) -> str:
        """The name of the part that the package is about.

        Raises:
            Unreadable: it has none.
        """
        main = next((name for kind, name in self.related("").values() if kind == "officeDocument"), "")
        if main not in self._entries:
            raise Unreadable("broken_document", "the zip file holds no Office document; save it again")
        return main

    def related(self, part: str) -> dict[str, tuple[str, str]]:
        """Relationship id → its kind (last word of its type) and the part that it leads to; none outside."""
        if part not in self._related:
            self._related[part] = self._relationships(part)
        return self._related[part]

    def _relationships(self, part: str) -> dict[str, tuple[str, str]]:
        folder, name = posixpath.split(part)
        root = self.tree(posixpath.join(folder, "_rels", f"{name}.rels"))
        found: dict[str, tuple[str, str]] = {}
        for each in root if root is not None else ():
            target = each.get("Target", "")
            if each.get("TargetMode") != "External" and target:
                kind = each.get("Type", "").rpartition("/")[2]
                found[each.get("Id", "")] = (
                    kind,
                    posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/"),
                )
        return found

    def first(self, part: str, kind: str) -> str:
        """The first part of a kind that a part refers to; empty where there is none."""
        return next((name for found, name in self.related(part).values() if found == kind), "")

    def tree(self, name: str) -> Any:
        """The root element of a part; None where the package has none of that name.

        Raises:
            Unreadable: it is no XML, is too large, or declares a document type.
        """
        if name not in self._entries:
            return None
        content = self._bytes(name)
        try:
            root = self._etree.fromstring(content, self._etree.XMLParser(**_SAFE))
        except self._etree.XMLSyntaxError as error:
            raise _no_xml(name, error.msg) from error
        _refuse_doctype(root, name)
        return root

    def elements(self, name: str, wanted: tuple[str, ...]) -> Iterator[Any]:
        """The elements with these local names, one after the other; each is forgotten with the next.

        Raises:
            Unreadable: the part is no XML, or declares a document type.
        """
        if name not in self._entries:
            return
        tags = [f"{{*}}{each}" for each in wanted]
        stream = _Stream(unzip.pieces(self._archive, self._entries[name]))
        try:
            for _, element in self._etree.iterparse(stream, events=("end",), tag=tags, **_SAFE):
                _refuse_doctype(element, name)
                yield element
                element.clear()
                while element.getprevious() is not None:
                    del element.getparent()[0]
        except self._etree.XMLSyntaxError as error:
            raise _no_xml(name, error.msg) from error

    def _bytes(self, name: str) -> bytes:
        entry = self._entries[name]
        if entry.file_size > MAX_TREE_BYTES:
            message = f"{name!r} has {entry.file_size:,} bytes; at most {MAX_TREE_BYTES:,} are read; split it"
            raise Unreadable("file_too_large", message)
        return b"".join(unzip.pieces(self._archive, entry))


class _Stream:
    """Pieces as something that can be read from."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def read(self, _size: int = -1) -> bytes:
        """The next piece; empty at the end."""
        return next(self._pieces, b"")


@lru_cache(maxsize=4096)
def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def local(element: Any) -> str:
    """The name of an element without its namespace."""
    return _local(element.tag)


def attribute(element: Any, name: str, default: str = "") -> str:
    """An attribute by its local name."""
    if element is None:
        return default
    if (plain := element.get(name)) is not None:
        return plain
    return next((value for key, value in element.items() if _local(key) == name), default)


def child(element: Any, *path: str) -> Any:
    """The first child with this local name, and so on down the path; None where there is none."""
    for name in path:
        if element is None:
            return None
        element = next((each for each in element if _local(each.tag) == name), None)
    return element


def children(element: Any, name: str) -> Iterator[Any]:
    """The children with this local name."""
    return (each for each in (element if element is not None else ()) if _local(each.tag) == name)


def descendants(element: Any, *names: str) -> Iterator[Any]:
    """The elements below with one of these local names, in order."""
    return element.iter(*[f"{{*}}{name}" for name in names]) if element is not None else iter(())


def whole_number(text: str, default: int = 0) -> int:
    """The number that an attribute holds; the default where it holds none."""
    return int(text) if _WHOLE_NUMBER.fullmatch(text) else default


def _refuse_doctype(element: Any, name: str) -> None:
    if element.getroottree().docinfo.doctype:
        message = f"{name!r} declares a document type, which Office files may not; nothing of it was resolved"
        raise Unreadable("forbidden_doctype", message)


def _no_xml(name: str, reason: str) -> Unreadable:
    return Unreadable("broken_document", f"{name!r} is broken: {reason}; open the file and save it again")


def _ole(content: bytes) -> Unreadable:
    if _ENCRYPTED in content:
        return Unreadable("encrypted_file", "the document needs a password; save it without one")
    message = "this is the format of before Office 2007 (.doc, .ppt, .xls); save it as .docx, .pptx or .xlsx"
    return Unreadable("old_format", message)
