"""Word, PowerPoint, Excel and PDF files through the source: rows, places, archives, what cannot be read."""

from __future__ import annotations

import gzip
import importlib
import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.unit.sources.office_files import STYLES, docx, p, pptx, rows, shape, tbl, xlsx, zipped
from tests.unit.sources.pdf_files import PICTURE, encrypted, pdf, text
from tests.unit.sources.reading import read, said, told
from zhiling.errors import MissingExtra
from zhiling.sources.documents import Documents
from zhiling.sources.pages import reading

FILES = {
    "a.docx": docx(
        p("退货", "1") + p("Send it back.") + tbl([["重量", "Price"], ["1 kg", "3"]]), styles=STYLES
    ),
    "b.pptx": pptx([shape("退货", "title") + shape("Send it back.")]),
    "c.xlsx": xlsx({"价格": rows([["重量", "Price"], ["1 kg", 3]])}),
    "d.pdf": pdf([text(50, 750, "Returns", 20) + "\n" + text(50, 700, "请寄回包裹。" * 4)]),
}
LOCATORS = [
    "a.docx#paragraph 1 > 退货",
    "b.pptx#slide 1 > 退货",
    "c.xlsx#sheet 价格!A1:B2",
    "d.pdf#page 1 > Returns",
]


def documents(**settings: Any) -> Documents:
    return Documents(path="*", **settings)


def written(folder: Path, files: dict[str, bytes]) -> list[Path]:
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in files]


def test_rows_places_and_what_extra_holds(tmp_path: Path) -> None:
    found, bad = read(documents(), written(tmp_path, FILES), tmp_path)
    assert bad == []
    assert found["locator"].to_list() == LOCATORS
    assert found["group"].to_list() == list(FILES)
    table = "| 重量 | Price |\n| --- | --- |\n| 1 kg | 3 |"
    assert [text for ((_, text),) in said(found)] == [
        f"退货\n\nSend it back.\n\n{table}",
        "退货\n\nSend it back.",
        f"价格\n\n{table}",
        "Returns\n\n" + "请寄回包裹。" * 4,
    ]
    assert [json.loads(extra) for extra in found["extra"].to_list()] == [
        {"title": "退货", "headings": ["退货"], "paragraph": 1},
        {"title": "退货", "headings": ["退货"], "slide": 1},
        {"title": "价格", "headings": ["价格"], "sheet": "价格!A1:B2"},
        {"title": "Returns", "headings": ["Returns"], "page": 1},
    ]


def test_gzip_tar_and_zip_hold_them_too(tmp_path: Path) -> None:
    packed = {f"{name}.gz": gzip.compress(content) for name, content in FILES.items()}
    with tarfile.open(tmp_path / "e.tar.gz", "w:gz") as archive:
        for name, content in FILES.items():
            entry = tarfile.TarInfo(f"in/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    (tmp_path / "f.zip").write_bytes(zipped({f"in/{name}": content for name, content in FILES.items()}))
    files = [*written(tmp_path, packed), tmp_path / "e.tar.gz", tmp_path / "f.zip"]
    found, bad = read(documents(), files, tmp_path)
    assert bad == []
    assert found["locator"].to_list() == [
        *(place.replace("#", ".gz#", 1) for place in LOCATORS),
        *(f"e.tar.gz/in/{place}" for place in LOCATORS),
        *(f"f.zip/in/{place}" for place in LOCATORS),
    ]


def test_a_zip_archive_tells_what_it_cannot_give_and_gives_the_rest(tmp_path: Path) -> None:
    content = zipped(
        {"a.md": "# 一\n\n内容", "b.md": "x" * 99, "c.png": "x", "__MACOSX/._a.md": "x", "d/e.txt": "文"}
    )
    broken = content.replace(zipped({"b.md": "x" * 99})[34:40], b"\xff" * 6, 1)
    (tmp_path / "a.zip").write_bytes(broken)
    found, bad = read(documents(), [tmp_path / "a.zip"], tmp_path)
    assert found["locator"].to_list() == ["a.zip/a.md:1#一", "a.zip/d/e.txt:1#文"]
    assert told(bad) == [("a.zip/b.md:1", "broken_archive"), ("a.zip/c.png", "unsupported_file")]


def test_names_in_a_zip_file_of_chinese_windows(tmp_path: Path) -> None:
    raw = "退货政策说明.md".encode("gb18030")
    content = zipped({"x" * len(raw) + ".md": "text"}).replace(b"x" * len(raw) + b".md", raw + b".md")
    (tmp_path / "a.zip").write_bytes(content)
    found, _ = read(documents(), [tmp_path / "a.zip"], tmp_path)
    assert found["locator"].to_list() == ["a.zip/退货政策说明.md.md:1"]


def test_a_bomb_among_other_files_is_one_bad_item(tmp_path: Path) -> None:
    bomb = zipped({"bomb.txt": b"\0" * (20 << 20), "a.md": "kept " * 20_000}, zipfile.ZIP_DEFLATED)
    (tmp_path / "a.zip").write_bytes(bomb)
    found, bad = read(documents(), [tmp_path / "a.zip"], tmp_path)
    assert (found.height, told(bad)) == (0, [("a.zip", "zip_bomb")])


BAD = {
    "a.docx": (FILES["a.docx"][:300], "a.docx", "broken_archive"),
    "b.docx": (b"", "b.docx", "empty_file"),
    "c.pdf": (encrypted(), "c.pdf", "encrypted_file"),
    "d.pdf": (pdf([PICTURE] * 3), "d.pdf#page 1-3", "no_text_layer"),
    "e.pdf": (pdf([""]), "e.pdf", "empty_file"),
    "f.xlsx": (zipped({"x.xml": b"\0" * (20 << 20)}), "f.xlsx", "zip_bomb"),
    "g.pptx": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "g.pptx", "old_format"),
    "h.docx": (docx(p("")), "h.docx", "empty_file"),
    "i.doc": (b"\xd0\xcf\x11\xe0", "i.doc", "unsupported_file"),
}


def test_each_file_that_cannot_be_read_is_one_bad_item_and_the_others_are_read(tmp_path: Path) -> None:
    files = written(
        tmp_path, {**{name: content for name, (content, _, _) in BAD.items()}, "z.pptx": FILES["b.pptx"]}
    )
    found, bad = read(documents(), files, tmp_path)
    assert told(bad) == [(place, cls) for _, place, cls in BAD.values()]
    assert found["locator"].to_list() == ["z.pptx#slide 1 > 退货"]


def test_a_file_beyond_the_limit_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_FILE_BYTES", 100)
    _, bad = read(documents(), written(tmp_path, {"a.docx": FILES["a.docx"]}), tmp_path)
    assert told(bad) == [("a.docx", "file_too_large")]


@pytest.mark.parametrize(("name", "module"), [("a.docx", "lxml"), ("c.xlsx", "lxml"), ("d.pdf", "pypdfium2")])
def test_without_the_extra_one_error_names_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, module: str
) -> None:
    real = importlib.import_module

    def missing(wanted: str, package: str | None = None) -> Any:
        if wanted.partition(".")[0] in ("lxml", "pypdfium2"):
            raise ModuleNotFoundError(f"No module named {wanted!r}", name=wanted)
        return real(wanted, package)

    monkeypatch.setattr(importlib, "import_module", missing)
    files = written(tmp_path, {"a.md": b"# text", name: FILES[name]})
    with pytest.raises(
        MissingExtra, match=rf"{module}.*is not installed\n.*pip install \"zhiling\[documents\]\""
    ) as error:
        documents().read(files, tmp_path)
    assert error.value.exit_code == 3
    assert list(documents().read(files[:1], tmp_path))


def test_a_long_table_is_cut_between_rows_and_repeats_its_header(tmp_path: Path) -> None:
    table = [["Name", "价格"], *([f"row {n}", str(n)] for n in range(200))]
    files = written(tmp_path, {"a.docx": docx(p("表", "1") + tbl(table), styles=STYLES)})
    found, _ = read(documents(max_characters=500), files, tmp_path)
    texts = [text for ((_, text),) in said(found)]
    assert all(len(text) <= 500 and "| Name | 价格 |\n| --- | --- |\n| row" in text for text in texts)
    assert sum(text.count("| row") for text in texts) == 200
