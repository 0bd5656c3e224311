"""Check the dates and check digits of national identity numbers, one function a country."""

from __future__ import annotations

from typing import Final

from bear_otel.privacy.checksums import dmy, is_date, luhn, mod_11_10, weighted, ymd

# What a letter or digit in an odd place counts, by position in the alphabet.
_ITALIAN_LETTERS: Final = (
    1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23
)  # fmt: skip
_ITALIAN_ODD: Final = {
    **dict(zip("0123456789", _ITALIAN_LETTERS, strict=False)),
    **dict(zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", _ITALIAN_LETTERS, strict=True)),
}
_SINGAPORE: Final = {"S": "JZIHGFEDCBA", "T": "GFEDCBAJZIH", "F": "XWUTRQPNMLK", "G": "RQPNMLKXWUT"}
_TAIWAN: Final = "ABCDEFGHJKLMNPQRSTUVXYWZIO"


def is_ssn(d: str) -> bool:
    """United States: a social security number whose groups were issued."""
    return d[:3] not in ("000", "666") and d[0] != "9" and d[3:5] != "00" and d[5:] != "0000"


def is_cpf(d: str) -> bool:
    """Brazil: a person's number with two check digits."""
    if len(set(d)) == 1:
        return False
    for length in (9, 10):
        rest = weighted(d[:length], tuple(range(length + 1, 1, -1))) * 10 % 11 % 10
        if rest != int(d[length]):
            return False
    return True


def is_cnpj(d: str) -> bool:
    """Brazil: a company's number with two check digits."""
    weights = (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)
    first = 11 - weighted(d[:12], weights[1:]) % 11
    second = 11 - weighted(d[:13], weights) % 11
    return len(set(d)) > 1 and d[12:] == f"{first % 11 % 10}{second % 11 % 10}"


def is_dni(t: str) -> bool:
    """Spain: eight digits and their letter."""
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(t[:8]) % 23] == t[8].upper()


def is_nie_or_nric(t: str) -> bool:
    """Spain's foreigners and Singapore: a letter, seven digits and their letter."""
    head, body, tail = t[0].upper(), t[1:8], t[8].upper()
    if head in "XYZ":
        return is_dni(str("XYZ".index(head)) + body + tail)
    if head in _SINGAPORE:
        return _SINGAPORE[head][weighted(body, (2, 7, 6, 5, 4, 3, 2)) % 11] == tail
    return head == "M" and tail in "KLJNPQRTUWX"


def is_nino(t: str) -> bool:
    """United Kingdom: a national insurance number with prefixes that are issued."""
    t = t.upper()
    return (
        t[0] in "ABCEGHJKLMNOPRSTWXYZ"
        and t[1] in "ABCEGHJKLMNPRSTWXYZ"
        and t[:2] not in ("BG", "GB", "KN", "NK", "NT", "TN", "ZZ")
        and t[8] in "ABCD"
    )


def is_codice_fiscale(t: str) -> bool:
    """Italy: sixteen letters and digits, the last a check letter."""
    t = t.upper()
    total = sum(_ITALIAN_ODD[c] for c in t[0:15:2])
    total += sum(int(c) if c.isdigit() else ord(c) - 65 for c in t[1:15:2])
    return chr(65 + total % 26) == t[15]


def is_pan(t: str) -> bool:
    """India: a tax number, whose fourth letter says whose it is."""
    return t == t.upper() and t[3] in "PCHFATBLJG"


def is_chinese(t: str) -> bool:
    """China: eighteen digits with a date and a check digit."""
    if not is_date(int(t[6:10]), int(t[10:12]), int(t[12:14])):
        return False
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return "10X98765432"[weighted(t[:17], weights) % 11] == t[17].upper()


def is_nir(d: str) -> bool:
    """France: fifteen digits, the last two a check by 97."""
    return d[0] in "12" and 1 <= int(d[3:5]) <= 42 and 97 - int(d[:13]) % 97 == int(d[13:])


def is_swedish_or_danish(d: str) -> bool:
    """Sweden or Denmark: a date and four digits with a check digit."""
    if ymd(d[:6]) and luhn(d):
        return True
    return dmy(d[:6]) and weighted(d, (4, 3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0


def is_swedish_long(d: str) -> bool:
    """Sweden: the same with the century."""
    return d[:2] in ("19", "20") and ymd(d[2:8]) and luhn(d[2:])


def is_finnish(t: str) -> bool:
    """Finland: a date, a sign, three digits and a check letter."""
    digits = t[:6] + t[-4:-1]
    return dmy(t[:6]) and "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(digits) % 31] == t[-1].upper()


def is_czech(d: str) -> bool:
    """Czechia and Slovakia: a date, higher months for women, divisible by 11."""
    month = int(d[2:4]) % 50 % 20 or 20
    return is_date(2000 + int(d[:2]), month, int(d[4:6])) and (len(d) == 9 or int(d) % 11 == 0)


def is_korean(d: str) -> bool:
    """South Korea: a date and a digit for century and sex."""
    return ymd(d[:6]) and d[6] in "12345678"


def is_malaysian(d: str) -> bool:
    """Malaysia: a date, a place and a serial number."""
    return ymd(d[:6])


def is_cuit(d: str) -> bool:
    """Argentina: a tax number with a check digit."""
    rest = 11 - weighted(d[:10], (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return d[:2] in ("20", "23", "24", "27", "30", "33", "34") and rest % 11 == int(d[10])


def is_rut(t: str) -> bool:
    """Chile: a number with a check digit or K."""
    total = weighted(t[-2::-1], (2, 3, 4, 5, 6, 7, 2, 3))
    return "0123456789K0"[11 - total % 11] == t[-1].upper()


def is_belgian(d: str) -> bool:
    """Belgium: a date and a check by 97, before or after 2000."""
    number, check = int(d[:9]), int(d[9:])
    month = int(d[2:4]) % 20
    if month > 12 or int(d[4:6]) > 31:
        return False
    return check in (97 - number % 97, 97 - (2_000_000_000 + number) % 97)


def is_swiss(d: str) -> bool:
    """Switzerland: an insurance number, an EAN that begins with 756."""
    return d[:3] == "756" and weighted(d, (1, 3) * 6 + (1,)) % 10 == 0


def is_thai(d: str) -> bool:
    """Thailand: thirteen digits, the last a check digit."""
    return (11 - weighted(d[:12], tuple(range(13, 1, -1))) % 11) % 10 == int(d[12])


def is_taiwanese(t: str) -> bool:
    """Taiwan: a letter, and nine digits with a check digit."""
    if t[0].upper() not in _TAIWAN or t[1] not in "1289":
        return False
    head = _TAIWAN.index(t[0].upper()) + 10
    return (head // 10 + head % 10 * 9 + weighted(t[1:], (8, 7, 6, 5, 4, 3, 2, 1, 1))) % 10 == 0


def is_curp(t: str) -> bool:
    """Mexico: letters of the name, a date and the sex."""
    return t == t.upper() and ymd(t[4:10]) and t[10] in "HMX"


def is_pesel(d: str) -> bool:
    """Poland: a date with its century in the month, and a check digit."""
    month = int(d[2:4]) % 20
    fits = is_date(2000 + int(d[:2]), month, int(d[4:6])) if month else False
    return fits and weighted(d, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % 10 == 0


def is_steuer_id(d: str) -> bool:
    """Germany: a tax number, in which one digit stands twice or thrice."""
    counts = sorted(d[:10].count(c) for c in set(d[:10]))
    return d[0] != "0" and counts[-1] in (2, 3) and sum(c > 1 for c in counts) == 1 and mod_11_10(d)


def is_turkish(d: str) -> bool:
    """Turkey: eleven digits, the last two check digits."""
    odd, even = sum(map(int, d[0:9:2])), sum(map(int, d[1:8:2]))
    return (
        d[0] != "0"
        and (odd * 7 - even) % 10 == int(d[9])
        and sum(map(int, d[:10])) % 10 == int(d[10])
    )


def is_norwegian(d: str) -> bool:
    """Norway: a date and two check digits."""
    return (
        dmy(f"{int(d[:2]) % 40:02d}{d[2:6]}")
        and weighted(d, (3, 7, 6, 1, 8, 9, 4, 5, 2, 1)) % 11 == 0
        and weighted(d, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0
    )


def is_baltic(d: str) -> bool:
    """Estonia and Lithuania: sex, date and a check digit."""
    if d[0] not in "3456" or not ymd(d[1:7]):
        return False
    rest = weighted(d, (1, 2, 3, 4, 5, 6, 7, 8, 9, 1)) % 11
    if rest == 10:
        rest = weighted(d, (3, 4, 5, 6, 7, 8, 9, 1, 2, 3)) % 11 % 10
    return rest == int(d[10])


def is_thirteen(d: str) -> bool:
    """Romania or South Africa: thirteen digits with a date and a check digit."""
    if d[:2] in ("15", "16", "17", "18", "19"):
        return False  # milliseconds since 1970
    romanian = d[0] in "12345678" and ymd(d[1:7])
    if romanian and weighted(d, (2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9)) % 11 % 10 == int(d[12]):
        return True
    return ymd(d[:6]) and d[10] in "012" and luhn(d)


def is_irish(t: str) -> bool:
    """Ireland: seven digits and a check letter."""
    total = weighted(t[:7], (8, 7, 6, 5, 4, 3, 2))
    if len(t) > 8:
        total += 9 * (ord(t[8].upper()) - 64)
    return "WABCDEFGHIJKLMNOPQRSTUV"[total % 23] == t[7].upper()


def is_snils(d: str) -> bool:
    """Russia: an insurance number with two check digits."""
    return weighted(d[:9], (9, 8, 7, 6, 5, 4, 3, 2, 1)) % 101 % 100 == int(d[9:])


def is_nine(d: str) -> bool:
    """Canadian SIN by Luhn, Australian TFN by its weights."""
    return luhn(d) or weighted(d, (1, 4, 3, 7, 5, 8, 6, 9, 10)) % 11 == 0


def is_nhs(d: str) -> bool:
    """United Kingdom: a health service number with a check digit."""
    return (11 - weighted(d[:9], (10, 9, 8, 7, 6, 5, 4, 3, 2)) % 11) % 11 == int(d[9])
