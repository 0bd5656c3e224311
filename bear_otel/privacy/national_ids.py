"""Know national identity numbers by shape, date and check digit."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from bear_otel.privacy.checksums import (
    dmy,
    is_date,
    luhn,
    mod_11_10,
    verhoeff,
    weighted,
    ymd,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_DIGITS_TO_9: Final = str.maketrans("012345678", "999999999")
_NOT_ALNUM = re.compile(r"[^0-9A-Za-z]")
_ITALIAN_ODD: Final = dict(
    zip(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        (1, 0, 5, 7, 9, 13, 15, 17, 19, 21) * 1
        + (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23),
        strict=True,
    )
)  # fmt: skip
_SINGAPORE: Final = {"S": "JZIHGFEDCBA", "T": "GFEDCBAJZIH", "F": "XWUTRQPNMLK", "G": "RQPNMLKXWUT"}
_TAIWAN: Final = "ABCDEFGHJKLMNPQRSTUVXYWZIO"


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


def _ssn(d: str) -> bool:
    return d[:3] not in ("000", "666") and d[0] != "9" and d[3:5] != "00" and d[5:] != "0000"


def _cpf(d: str) -> bool:
    if len(set(d)) == 1:
        return False
    for length in (9, 10):
        rest = weighted(d[:length], tuple(range(length + 1, 1, -1))) * 10 % 11 % 10
        if rest != int(d[length]):
            return False
    return True


def _cnpj(d: str) -> bool:
    weights = (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)
    first = 11 - weighted(d[:12], weights[1:]) % 11
    second = 11 - weighted(d[:13], weights) % 11
    return len(set(d)) > 1 and d[12:] == f"{first % 11 % 10}{second % 11 % 10}"


def _dni(t: str) -> bool:
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(t[:8]) % 23] == t[8].upper()


def _nie_or_nric(t: str) -> bool:
    head, body, tail = t[0].upper(), t[1:8], t[8].upper()
    if head in "XYZ":
        return _dni(str("XYZ".index(head)) + body + tail)
    if head in _SINGAPORE:
        return _SINGAPORE[head][weighted(body, (2, 7, 6, 5, 4, 3, 2)) % 11] == tail
    return head == "M" and tail in "KLJNPQRTUWX"


def _nino(t: str) -> bool:
    t = t.upper()
    return (
        t[0] in "ABCEGHJKLMNOPRSTWXYZ"
        and t[1] in "ABCEGHJKLMNPRSTWXYZ"
        and t[:2] not in ("BG", "GB", "KN", "NK", "NT", "TN", "ZZ")
        and t[8] in "ABCD"
    )


def _codice_fiscale(t: str) -> bool:
    t = t.upper()
    total = sum(_ITALIAN_ODD[c] for c in t[0:15:2])
    total += sum(int(c) if c.isdigit() else ord(c) - 65 for c in t[1:15:2])
    return chr(65 + total % 26) == t[15]


def _pan(t: str) -> bool:
    return t == t.upper() and t[3] in "PCHFATBLJG"


def _chinese(t: str) -> bool:
    if not is_date(int(t[6:10]), int(t[10:12]), int(t[12:14])):
        return False
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return "10X98765432"[weighted(t[:17], weights) % 11] == t[17].upper()


def _nir(d: str) -> bool:
    return d[0] in "12" and 1 <= int(d[3:5]) <= 42 and 97 - int(d[:13]) % 97 == int(d[13:])  # noqa: PLR2004


def _swedish_or_danish(d: str) -> bool:
    if ymd(d[:6]) and luhn(d):
        return True
    return dmy(d[:6]) and weighted(d, (4, 3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0


def _swedish_long(d: str) -> bool:
    return d[:2] in ("19", "20") and ymd(d[2:8]) and luhn(d[2:])


def _finnish(t: str) -> bool:
    digits = t[:6] + t[-4:-1]
    return dmy(t[:6]) and "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(digits) % 31] == t[-1].upper()


def _czech(d: str) -> bool:
    month = int(d[2:4]) % 50 % 20 or 20
    return is_date(2000 + int(d[:2]), month, int(d[4:6])) and (len(d) == 9 or int(d) % 11 == 0)  # noqa: PLR2004


def _korean(d: str) -> bool:
    return ymd(d[:6]) and d[6] in "12345678"


def _malaysian(d: str) -> bool:
    return ymd(d[:6])


def _cuit(d: str) -> bool:
    rest = 11 - weighted(d[:10], (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return d[:2] in ("20", "23", "24", "27", "30", "33", "34") and rest % 11 == int(d[10])


def _rut(t: str) -> bool:
    total = weighted(t[-2::-1], (2, 3, 4, 5, 6, 7, 2, 3))
    return "0123456789K0"[11 - total % 11] == t[-1].upper()


def _belgian(d: str) -> bool:
    number, check = int(d[:9]), int(d[9:])
    month = int(d[2:4]) % 20
    if month > 12 or int(d[4:6]) > 31:  # noqa: PLR2004
        return False
    return check in (97 - number % 97, 97 - (2_000_000_000 + number) % 97)


def _swiss(d: str) -> bool:
    return d[:3] == "756" and weighted(d, (1, 3) * 6 + (1,)) % 10 == 0


def _thai(d: str) -> bool:
    return (11 - weighted(d[:12], tuple(range(13, 1, -1))) % 11) % 10 == int(d[12])


def _taiwanese(t: str) -> bool:
    if t[0].upper() not in _TAIWAN or t[1] not in "1289":
        return False
    head = _TAIWAN.index(t[0].upper()) + 10
    return (head // 10 + head % 10 * 9 + weighted(t[1:], (8, 7, 6, 5, 4, 3, 2, 1, 1))) % 10 == 0


def _curp(t: str) -> bool:
    return t == t.upper() and ymd(t[4:10]) and t[10] in "HMX"


def _pesel(d: str) -> bool:
    month = int(d[2:4]) % 20
    fits = is_date(2000 + int(d[:2]), month, int(d[4:6])) if month else False
    return fits and weighted(d, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % 10 == 0


def _steuer_id(d: str) -> bool:
    counts = sorted(d[:10].count(c) for c in set(d[:10]))
    return d[0] != "0" and counts[-1] in (2, 3) and sum(c > 1 for c in counts) == 1 and mod_11_10(d)


def _turkish(d: str) -> bool:
    odd, even = sum(map(int, d[0:9:2])), sum(map(int, d[1:8:2]))
    return (
        d[0] != "0"
        and (odd * 7 - even) % 10 == int(d[9])
        and sum(map(int, d[:10])) % 10 == int(d[10])
    )


def _norwegian(d: str) -> bool:
    return (
        dmy(f"{int(d[:2]) % 40:02d}{d[2:6]}")
        and weighted(d, (3, 7, 6, 1, 8, 9, 4, 5, 2, 1)) % 11 == 0
        and weighted(d, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0
    )


def _baltic(d: str) -> bool:
    if d[0] not in "3456" or not ymd(d[1:7]):
        return False
    rest = weighted(d, (1, 2, 3, 4, 5, 6, 7, 8, 9, 1)) % 11
    if rest == 10:  # noqa: PLR2004
        rest = weighted(d, (3, 4, 5, 6, 7, 8, 9, 1, 2, 3)) % 11 % 10
    return rest == int(d[10])


def _thirteen(d: str) -> bool:
    if d[:2] in ("15", "16", "17", "18", "19"):
        return False  # milliseconds since 1970
    romanian = d[0] in "12345678" and ymd(d[1:7])
    if romanian and weighted(d, (2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9)) % 11 % 10 == int(d[12]):
        return True
    return ymd(d[:6]) and d[10] in "012" and luhn(d)


def _irish(t: str) -> bool:
    total = weighted(t[:7], (8, 7, 6, 5, 4, 3, 2))
    if len(t) > 8:  # noqa: PLR2004
        total += 9 * (ord(t[8].upper()) - 64)
    return "WABCDEFGHIJKLMNOPQRSTUV"[total % 23] == t[7].upper()


def _snils(d: str) -> bool:
    return weighted(d[:9], (9, 8, 7, 6, 5, 4, 3, 2, 1)) % 101 % 100 == int(d[9:])


def _nine(d: str) -> bool:
    """Canadian SIN by Luhn, Australian TFN by its weights."""
    return luhn(d) or weighted(d, (1, 4, 3, 7, 5, 8, 6, 9, 10)) % 11 == 0


def _nhs(d: str) -> bool:
    return (11 - weighted(d[:9], (10, 9, 8, 7, 6, 5, 4, 3, 2)) % 11) % 11 == int(d[9])


# Shape: each digit is 9, each letter A.
SHAPES: Final[dict[str, tuple[Shape, ...]]] = {
    "999-99-9999": (Shape("US SSN", _ssn),),
    "999.999.999-99": (Shape("BR CPF", _cpf),),
    "99.999.999/9999-99": (Shape("BR CNPJ", _cnpj),),
    "99999999A": (Shape("ES DNI", _dni),),
    "99999999-A": (Shape("ES DNI", _dni),),
    "A9999999A": (Shape("ES NIE, SG NRIC", _nie_or_nric),),
    "A-9999999-A": (Shape("ES NIE", _nie_or_nric),),
    "A9999999-A": (Shape("ES NIE", _nie_or_nric),),
    "AA999999A": (Shape("UK NINO", _nino),),
    "AAAAAA99A99A999A": (Shape("IT codice fiscale", _codice_fiscale),),
    "AAAAA9999A": (Shape("IN PAN", _pan),),
    "99999999999999999A": (Shape("CN resident id", _chinese),),
    "999999999999999999": (Shape("CN resident id", _chinese),),
    "999999999999999": (Shape("FR NIR", _nir),),
    "999999-9999": (Shape("SE personnummer, DK CPR", _swedish_or_danish),),
    "999999+9999": (Shape("SE personnummer", _swedish_or_danish),),
    "99999999-9999": (Shape("SE personnummer", _swedish_long),),
    "999999999999": (Shape("SE personnummer", _swedish_long, weak=True),),
    "999999-999A": (Shape("FI HETU", _finnish),),
    "999999A999A": (Shape("FI HETU", lambda t: _finnish(t[:6] + t[7:])),),
    "999999A9999": (Shape("FI HETU", lambda t: _finnish(t[:6] + t[7:])),),
    "999999/9999": (Shape("CZ, SK birth number", _czech),),
    "999999/999": (Shape("CZ, SK birth number", _czech),),
    "999999-9999999": (Shape("KR resident number", _korean),),
    "999999-99-9999": (Shape("MY MyKad", _malaysian),),
    "99-99999999-9": (Shape("AR CUIT", _cuit),),
    "99.999.999-9": (Shape("CL RUT", _rut),),
    "9.999.999-9": (Shape("CL RUT", _rut),),
    "99.999.999-A": (Shape("CL RUT", _rut),),
    "99999999-9": (Shape("CL RUT", _rut, weak=True),),
    "99.99.99-999.99": (Shape("BE national number", _belgian),),
    "999.9999.9999.99": (Shape("CH AHV", _swiss),),
    "9-9999-99999-99-9": (Shape("TH id", _thai),),
    "A999999999": (Shape("TW id", _taiwanese),),
    "AAAA999999AAAAAA99": (Shape("MX CURP", _curp),),
    "AAAA999999AAAAAAA9": (Shape("MX CURP", _curp),),
    "9999999999999": (Shape("RO CNP, ZA id", _thirteen, weak=True),),
    "9999999A": (Shape("IE PPS", _irish, weak=True),),
    "9999999AA": (Shape("IE PPS", _irish),),
    "999-999-999": (Shape("CA SIN", luhn, weak=True),),
    "9999-9999-9999": (Shape("IN Aadhaar", lambda d: d[0] > "1" and verhoeff(d)),),
    "99999999999": (
        Shape("DE tax id", _steuer_id, weak=True),
        Shape("PL PESEL", _pesel, weak=True),
        Shape("BR CPF", _cpf, weak=True),
        Shape("TR kimlik", _turkish, weak=True),
        Shape("NO fødselsnummer", _norwegian, weak=True),
        Shape("BE national number", _belgian, weak=True),
        Shape("EE, LT personal code", _baltic, weak=True),
    ),
}
# Numbers written in groups with blanks between them.
SPACED: Final[tuple[tuple[re.Pattern[str], Shape], ...]] = tuple(
    (re.compile(r"(?<![\w.,:/-])" + pattern + r"(?![\w/-])(?![ .,]\d)"), Shape(name, check))
    for pattern, name, check in (
        (r"[2-9]\d{3} \d{4} \d{4}", "IN Aadhaar", verhoeff),
        (r"[12] \d\d \d\d \d[\dAB] \d{3} \d{3}(?: \d\d)", "FR NIR", _nir),
        (r"[12] ?\d\d ?\d\d ?\d\d ?\d{3} ?\d{3} \d\d", "FR NIR", _nir),
        (r"[A-Za-z]{2} \d\d ?\d\d ?\d\d ?[A-Da-d]", "UK NINO", _nino),
        (r"\d{3} \d{3} \d{3}", "CA SIN, AU TFN", _nine),
        (r"\d{3} \d{3} \d{4}", "UK NHS", _nhs),
        (r"\d{3}-\d{3}-\d{3} \d\d", "RU SNILS", _snils),
        (r"\d{2} \d{3} \d{3} \d{3}", "DE tax id", _steuer_id),
        (r"\d{2} \d{2} \d{2} \d{5}", "NO fødselsnummer", _norwegian),
        (r"\d{6} \d{5}", "NO fødselsnummer", _norwegian),
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


def _shape(text: str) -> str:
    return "".join("A" if c.isalpha() else c for c in text.translate(_DIGITS_TO_9))
