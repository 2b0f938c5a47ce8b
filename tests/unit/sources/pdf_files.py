"""PDF files for tests, written by hand: pages of text in Helvetica and STSong-Light, lines and pictures."""

from __future__ import annotations

from collections.abc import Sequence


def text(x: float, y: float, words: str, size: float = 10) -> str:
    """The operators that show a text; Chinese in the CID font."""
    if words.isascii():
        escaped = words.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
        return f"BT /F1 {size} Tf {x} {y} Td ({escaped}) Tj ET"
    return f"BT /F2 {size} Tf {x} {y} Td <{words.encode('utf-16-be').hex()}> Tj ET"


def rule(x0: float, y0: float, x1: float, y1: float) -> str:
    """The operators that draw a line."""
    return f"{x0} {y0} m {x1} {y1} l S"


def ruled(rows: Sequence[Sequence[str]], left: float, top: float, wide: float = 100, high: float = 20) -> str:
    """A table with a rule around each cell."""
    right, bottom = left + wide * len(rows[0]), top - high * len(rows)
    parts = [rule(left, top - high * n, right, top - high * n) for n in range(len(rows) + 1)]
    parts += [rule(left + wide * n, top, left + wide * n, bottom) for n in range(len(rows[0]) + 1)]
    for n, row in enumerate(rows):
        parts += [text(left + wide * m + 4, top - high * n - 14, cell) for m, cell in enumerate(row) if cell]
    return "\n".join(parts)


# Objects 3 to 7: Helvetica, three for a Chinese font that PDF readers bring along, a picture of one dot.
FIXED = (
    "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    """<< /Type /Font /Subtype /Type0 /BaseFont /STSong-Light /Encoding /UniGB-UCS2-H
    /DescendantFonts [5 0 R] >>""",
    """<< /Type /Font /Subtype /CIDFontType0 /BaseFont /STSong-Light /DW 1000 /FontDescriptor 6 0 R
    /CIDSystemInfo << /Registry (Adobe) /Ordering (GB1) /Supplement 0 >> >>""",
    """<< /Type /FontDescriptor /FontName /STSong-Light /Flags 6 /Ascent 752 /Descent -271 /ItalicAngle 0
    /FontBBox [-25 -254 1000 880] /CapHeight 737 /StemV 58 >>""",
    """<< /Type /XObject /Subtype /Image /Width 1 /Height 1 /ColorSpace /DeviceGray /BitsPerComponent 8
    /Length 1 >>\nstream\nA\nendstream""",
)
PAGE = """<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents %d 0 R
    /Resources << /Font << /F1 3 0 R /F2 4 0 R >> /XObject << /I1 7 0 R >> >> >>"""
PICTURE = "q 200 0 0 200 100 400 cm /I1 Do Q"


def pdf(pages: Sequence[str], title: str = "", trailer: str = "", extra: Sequence[str] = ()) -> bytes:
    """A PDF of these pages' operators."""
    kids = " ".join(f"{9 + 2 * n} 0 R" for n in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Count {len(pages)} /Kids [{kids}] >>",
        *FIXED,
        f"<< /Title ({title}) >>",
    ]
    for n, operators in enumerate(pages):
        objects += [PAGE % (10 + 2 * n), f"<< /Length {len(operators)} >>\nstream\n{operators}\nendstream"]
    return assembled([*objects, *extra], f"/Root 1 0 R /Info 8 0 R {trailer}")


def assembled(objects: Sequence[str], trailer: str) -> bytes:
    """The objects, their table and the trailer."""
    whole = b"%PDF-1.4\n"
    places: list[int] = []
    for number, body in enumerate(objects, 1):
        places.append(len(whole))
        whole += f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1")
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    head = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
    return (
        whole
        + f"{head}trailer << /Size {len(objects) + 1} {trailer} >>\nstartxref\n{len(whole)}\n%%EOF".encode()
    )


def encrypted() -> bytes:
    """A PDF that asks for a password: no empty one fits its /U."""
    number = 11
    locked = f"<< /Filter /Standard /V 1 /R 2 /P -4 /O <{'ab' * 32}> /U <{'cd' * 32}> >>"
    identity = f"/Encrypt {number} 0 R /ID [<{'01' * 16}> <{'01' * 16}>]"
    return pdf([text(50, 700, "secret")], trailer=identity, extra=[locked])
