"""Compute the check digits that tell an identifier from any other number."""

from __future__ import annotations

from datetime import date
from typing import Final

_DOUBLED: Final = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
_VERHOEFF: Final = (
    "0123456789",
    "1234067895",
    "2340178956",
    "3401289567",
    "4012395678",
    "5987604321",
    "6598710432",
    "7659821043",
    "8765932104",
    "9876543210",
)
_PERMUTED: Final = (
    "0123456789",
    "1576283094",
    "5803796142",
    "8916043527",
    "9453126870",
    "4286573901",
    "2793806415",
    "7046913258",
)


def luhn(digits: str) -> bool:
    """Check a number by ISO/IEC 7812-1, annex B."""
    total = sum(map(int, digits[-1::-2])) + sum(_DOUBLED[int(d)] for d in digits[-2::-2])
    return total % 10 == 0


def mod_97(text: str) -> bool:
    """Check an account number by ISO 13616: letters count from 10, four move to the end."""
    return int("".join(str(int(c, 36)) for c in text[4:] + text[:4])) % 97 == 1


def verhoeff(digits: str) -> bool:
    """Check a number by Verhoeff's scheme, as Aadhaar numbers use it."""
    state = 0
    for position, digit in enumerate(reversed(digits)):
        state = int(_VERHOEFF[state][int(_PERMUTED[position % 8][int(digit)])])
    return state == 0


def mod_11_10(digits: str) -> bool:
    """Check a number by ISO/IEC 7064 mod 11,10, as German tax numbers and OIB use it."""
    product = 10
    for digit in digits[:-1]:
        total = (int(digit) + product) % 10 or 10
        product = total * 2 % 11
    return (11 - product) % 10 == int(digits[-1])


def weighted(digits: str, weights: tuple[int, ...]) -> int:
    """Return the sum of the digits, each times its weight."""
    return sum(int(d) * w for d, w in zip(digits, weights, strict=False))


def is_date(year: int, month: int, day: int) -> bool:
    """Say whether a day exists."""
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def ymd(text: str) -> bool:
    """Say whether six digits are year, month and day in any century."""
    return is_date(2000 + int(text[:2]), int(text[2:4]), int(text[4:6]))


def dmy(text: str) -> bool:
    """Say whether six digits are day, month and year in any century."""
    return is_date(2000 + int(text[4:6]), int(text[2:4]), int(text[:2]))
