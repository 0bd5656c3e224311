"""Know national identity numbers by shape, date and check digit."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from bear_otel.privacy import national_checks as checks
from bear_otel.privacy.checksums import luhn, verhoeff

if TYPE_CHECKING:
    from collections.abc import Callable

_DIGITS_TO_9: Final = str.maketrans("012345678", "999999999")
_NOT_ALNUM = re.compile(r"[^0-9A-Za-z]")


class Shape(NamedTuple):
    """One country's number.

    Args:
        name: What it is called.
        check: Says of its letters and digits, without separators, whether they may be one.
        weak: Whether one in ten to a hundred numbers of this shape passes by chance: such a number
            is left alone behind a key that names something else.
    """

    name: str
    check: Callable[[str], bool]
    weak: bool = False


# Shape: each digit is 9, each letter A.
SHAPES: Final[dict[str, tuple[Shape, ...]]] = {
    "999-99-9999": (Shape("US SSN", checks.is_ssn),),
    "999.999.999-99": (Shape("BR CPF", checks.is_cpf),),
    "99.999.999/9999-99": (Shape("BR CNPJ", checks.is_cnpj),),
    "99999999A": (Shape("ES DNI", checks.is_dni),),
    "99999999-A": (Shape("ES DNI", checks.is_dni),),
    "A9999999A": (Shape("ES NIE, SG NRIC", checks.is_nie_or_nric),),
    "A-9999999-A": (Shape("ES NIE", checks.is_nie_or_nric),),
    "A9999999-A": (Shape("ES NIE", checks.is_nie_or_nric),),
    "AA999999A": (Shape("UK NINO", checks.is_nino),),
    "AAAAAA99A99A999A": (Shape("IT codice fiscale", checks.is_codice_fiscale),),
    "AAAAA9999A": (Shape("IN PAN", checks.is_pan),),
    "99999999999999999A": (Shape("CN resident id", checks.is_chinese),),
    "999999999999999999": (Shape("CN resident id", checks.is_chinese),),
    "999999999999999": (Shape("FR NIR", checks.is_nir),),
    "999999-9999": (Shape("SE personnummer, DK CPR", checks.is_swedish_or_danish),),
    "999999+9999": (Shape("SE personnummer", checks.is_swedish_or_danish),),
    "99999999-9999": (Shape("SE personnummer", checks.is_swedish_long),),
    "999999999999": (Shape("SE personnummer", checks.is_swedish_long, weak=True),),
    "999999-999A": (Shape("FI HETU", checks.is_finnish),),
    "999999A999A": (Shape("FI HETU", lambda t: checks.is_finnish(t[:6] + t[7:])),),
    "999999A9999": (Shape("FI HETU", lambda t: checks.is_finnish(t[:6] + t[7:])),),
    "999999/9999": (Shape("CZ, SK birth number", checks.is_czech),),
    "999999/999": (Shape("CZ, SK birth number", checks.is_czech),),
    "999999-9999999": (Shape("KR resident number", checks.is_korean),),
    "999999-99-9999": (Shape("MY MyKad", checks.is_malaysian),),
    "99-99999999-9": (Shape("AR CUIT", checks.is_cuit),),
    "99.999.999-9": (Shape("CL RUT", checks.is_rut),),
    "9.999.999-9": (Shape("CL RUT", checks.is_rut),),
    "99.999.999-A": (Shape("CL RUT", checks.is_rut),),
    "99999999-9": (Shape("CL RUT", checks.is_rut, weak=True),),
    "99.99.99-999.99": (Shape("BE national number", checks.is_belgian),),
    "999.9999.9999.99": (Shape("CH AHV", checks.is_swiss),),
    "9-9999-99999-99-9": (Shape("TH id", checks.is_thai),),
    "A999999999": (Shape("TW id", checks.is_taiwanese),),
    "AAAA999999AAAAAA99": (Shape("MX CURP", checks.is_curp),),
    "AAAA999999AAAAAAA9": (Shape("MX CURP", checks.is_curp),),
    "9999999999999": (Shape("RO CNP, ZA id", checks.is_thirteen, weak=True),),
    "9999999A": (Shape("IE PPS", checks.is_irish, weak=True),),
    "9999999AA": (Shape("IE PPS", checks.is_irish),),
    "999-999-999": (Shape("CA SIN", luhn, weak=True),),
    "9999-9999-9999": (Shape("IN Aadhaar", lambda d: d[0] > "1" and verhoeff(d)),),
    "99999999999": (
        Shape("DE tax id", checks.is_steuer_id, weak=True),
        Shape("PL PESEL", checks.is_pesel, weak=True),
        Shape("BR CPF", checks.is_cpf, weak=True),
        Shape("TR kimlik", checks.is_turkish, weak=True),
        Shape("NO fødselsnummer", checks.is_norwegian, weak=True),
        Shape("BE national number", checks.is_belgian, weak=True),
        Shape("EE, LT personal code", checks.is_baltic, weak=True),
    ),
}
# Numbers written in groups with blanks between them.
SPACED: Final[tuple[tuple[re.Pattern[str], Shape], ...]] = tuple(
    (re.compile(r"(?<![\w.,:/-])" + pattern + r"(?![\w/-])(?![ .,]\d)"), Shape(name, check))
    for pattern, name, check in (
        (r"[2-9]\d{3} \d{4} \d{4}", "IN Aadhaar", verhoeff),
        (r"[12] \d\d \d\d \d[\dAB] \d{3} \d{3}(?: \d\d)", "FR NIR", checks.is_nir),
        (r"[12] ?\d\d ?\d\d ?\d\d ?\d{3} ?\d{3} \d\d", "FR NIR", checks.is_nir),
        (r"[A-Za-z]{2} \d\d ?\d\d ?\d\d ?[A-Da-d]", "UK NINO", checks.is_nino),
        (r"\d{3} \d{3} \d{3}", "CA SIN, AU TFN", checks.is_nine),
        (r"\d{3} \d{3} \d{4}", "UK NHS", checks.is_nhs),
        (r"\d{3}-\d{3}-\d{3} \d\d", "RU SNILS", checks.is_snils),
        (r"\d{2} \d{3} \d{3} \d{3}", "DE tax id", checks.is_steuer_id),
        (r"\d{2} \d{2} \d{2} \d{5}", "NO fødselsnummer", checks.is_norwegian),
        (r"\d{6} \d{5}", "NO fødselsnummer", checks.is_norwegian),
    )
)


def national_id(candidate: str) -> Shape | None:
    """Return which national number a text without blanks is, or None."""
    shapes = SHAPES.get(_shape(candidate))
    if shapes is None:
        return None
    bare = _NOT_ALNUM.sub("", candidate)
    for shape in shapes:
        if shape.check(bare):
            return shape
    return None


def is_national_shape(candidate: str) -> bool:
    """Say whether any country's number has this shape, whatever the digits are."""
    return _shape(candidate) in SHAPES


def _shape(text: str) -> str:
    return "".join("A" if c.isalpha() else c for c in text.translate(_DIGITS_TO_9))
