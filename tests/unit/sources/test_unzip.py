"""Zip files: limits before and while they are unpacked."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import pytest

from tests.unit.sources.office_files import docx, p, zipped
from tests.unit.sources.reading import read
from zhiling.pipeline import registry
from zhiling.sources.files import unzip
from zhiling.sources.pages.office.docx import read_docx
from zhiling.sources.pages.office.package import Package
from zhiling.sources.pages.reading import Unreadable


def refused(content: bytes) -> Unreadable:
    with pytest.raises(Unreadable) as told:
        read_docx(Package(content))
    return told.value


def test_a_bomb_is_refused_by_its_directory() -> None:
    problem = refused(zipped({"word/document.xml": b"\0" * (20 << 20)}))
    assert problem.cls == "zip_bomb"
    assert "20,971,520 bytes" in problem.message


def test_a_member_that_is_larger_than_the_directory_says_is_refused_while_it_is_read() -> None:
    content = docx(p("x" * 100_000))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
    lied = content.replace(struct.pack("<I", sizes["word/document.xml"]), struct.pack("<I", 500))
    assert lied != content
    assert refused(lied).cls == "broken_archive"


def test_many_small_members_that_share_their_bytes_are_a_bomb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unzip, "MAX_MEMBERS", 10)
    assert refused(zipped({f"{n}.xml": "x" for n in range(11)})).cls == "zip_bomb"


def test_a_member_beyond_the_limit_stops_while_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    archive = unzip.opened(zipped({"a": b"ab" * 100_000}))
    monkeypatch.setattr(unzip, "MAX_MEMBER_BYTES", 100_000)
    with pytest.raises(Unreadable, match="would unpack"):
        list(unzip.pieces(archive, archive.infolist()[0]))


def test_an_encrypted_member_is_told() -> None:
    content = bytearray(zipped({"a.xml": "x"}))
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(magic) + offset] |= 1
    assert refused(bytes(content)).cls == "encrypted_file"


@pytest.mark.parametrize(
    ("content", "cls", "words"),
    [
        (b"PK\x03\x04 cut", "broken_archive", "no whole zip file"),
        (zipped({"other.txt": "x"}), "broken_document", "no Office document"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "WordDocument".encode("utf-16-le"), "old_format", ".docx"),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"),
            "encrypted_file",
            "password",
        ),
    ],
)
def test_what_is_no_office_file_is_told(content: bytes, cls: str, words: str) -> None:
    problem = refused(content)
    assert (problem.cls, words in problem.message) == (cls, True)


def test_a_document_type_is_refused_and_nothing_it_names_is_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("top secret", encoding="utf-8")
    entity = f'<!DOCTYPE d [<!ENTITY e SYSTEM "{(tmp_path / "secret").as_uri()}">]>'
    namespace = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    body = "<w:body><w:p><w:r><w:t>&e;</w:t></w:r></w:p></w:body>"
    document = f'{entity}<w:document xmlns:w="{namespace}">{body}</w:document>'
    parts = {"_rels/.rels": "", "word/document.xml": document}
    with zipfile.ZipFile(io.BytesIO(docx(""))) as archive:
        parts["_rels/.rels"] = archive.read("_rels/.rels").decode()
    problem = refused(zipped(parts))
    assert problem.cls == "forbidden_doctype"


def test_elements_nested_without_end_are_refused() -> None:
    assert refused(docx("<w:sdt>" * 5000 + "</w:sdt>" * 5000)).cls == "broken_document"


def test_a_member_without_a_name_is_told_and_the_others_are_read(tmp_path: Path) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("x", "lost")
        archive.writestr("page.md", "# 门锁\n\n按住按钮。\n")
    packed = bytearray(content.getvalue())
    first = packed.index(b"PK\x01\x02")  # in the directory: its name gets length 0, its letter is a comment
    packed[first + 28 : first + 30], packed[first + 32 : first + 34] = b"\0\0", b"\x01\0"
    path = tmp_path / "pages.zip"
    path.write_bytes(packed)
    rows, bad = read(registry.load("source", "documents")(path="*"), [path], tmp_path)
    assert rows.height == 1
    assert [each.cls for each in bad] == ["unsupported_file"]


def test_a_name_that_ends_amid_a_character_is_told_as_far_as_it_goes(tmp_path: Path) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("abcdefg", "# 门锁\n")
        archive.writestr("page.md", "# 门锁\n")
    path = tmp_path / "pages.zip"
    path.write_bytes(content.getvalue().replace(b"abcdefg", "门锁".encode() + b"\xe9"))
    rows, bad = read(registry.load("source", "documents")(path="*"), [path], tmp_path)
    assert rows["locator"].to_list() == ["pages.zip/page.md:1#门锁"]
    assert [(each.place, each.cls) for each in bad] == [("pages.zip/门锁\ufffd", "unsupported_file")]
