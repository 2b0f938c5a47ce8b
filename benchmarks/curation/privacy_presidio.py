"""What presidio's pattern recognisers find, each at its defaults and without a language model.

    python privacy_presidio.py TEXTS.jsonl FOUND.jsonl

Reads one JSON string a line and writes one list of [start, end, type, score] a line. Without a language model
words around a number raise no score; every finding counts whatever its score.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from presidio_analyzer.predefined_recognizers import (
    CreditCardRecognizer,
    EmailRecognizer,
    IbanRecognizer,
    IpRecognizer,
    PhoneRecognizer,
    UrlRecognizer,
    UsSsnRecognizer,
)

RECOGNISERS = {
    "CREDIT_CARD": CreditCardRecognizer,
    "PHONE_NUMBER": PhoneRecognizer,
    "EMAIL_ADDRESS": EmailRecognizer,
    "IBAN_CODE": IbanRecognizer,
    "US_SSN": UsSsnRecognizer,
    "IP_ADDRESS": IpRecognizer,
    "DOMAIN_NAME": UrlRecognizer,
}


def main(texts: str, found: str) -> None:
    """All findings of all texts."""
    recognisers = {kind: made() for kind, made in RECOGNISERS.items()}
    with Path(found).open("w", encoding="utf-8") as out:
        for line in Path(texts).read_text(encoding="utf-8").splitlines():
            text = json.loads(line)
            hits = [
                [hit.start, hit.end, kind, hit.score]
                for kind, recogniser in recognisers.items()
                for hit in recogniser.analyze(text, recogniser.supported_entities, None) or ()
            ]
            print(json.dumps(hits), file=out)


if __name__ == "__main__":
    main(*sys.argv[1:])
