"""Makes national ids of many countries, with valid check digits."""

from __future__ import annotations

import random
import string

from .checksums import luhn_digit, verhoeff_digit, weighted_sum

Rng = random.Random


def national_id(rng: Rng, argument: str) -> str:
    """Return a national id with valid check digits; `argument` is the country and style."""
    match argument:
        case "us":
            area = rng.choice([*range(1, 666), *range(667, 900)])
            return f"{area:03d}-{rng.randrange(1, 100):02d}-{rng.randrange(1, 10_000):04d}"
        case "gb":
            return f"{rng.choice(['AB', 'CE', 'JG', 'SR'])}{digits(rng, 6)}{rng.choice('ABCD')}"
        case "gb_spaced":
            plain = national_id(rng, "gb")
            return " ".join([plain[:2], plain[2:4], plain[4:6], plain[6:8], plain[8]])
        case "fr":
            sex, year, month = rng.randrange(1, 3), rng.randrange(30, 99), rng.randrange(1, 13)
            body = f"{sex}{year:02d}{month:02d}75{digits(rng, 6)}"
            return f"{body}{97 - int(body) % 97:02d}"
        case "de":
            # Ten digits of which exactly one occurs twice (never beside itself), then the check.
            while True:
                body = rng.sample("0123456789", 9)
                body.insert(rng.randrange(2, 10), body[0])
                if body[0] != "0" and body[0] != body[1]:
                    break
            product = 10
            for char in body:
                total = (int(char) + product) % 10 or 10
                product = 2 * total % 11
            check = 11 - product
            return "".join(body) + str(0 if check == 10 else check)
        case "es":
            number = rng.randrange(10_000_000, 99_999_999)
            return f"{number}{'TRWAGMYFPDXBNJZSQVHLCKE'[number % 23]}"
        case "es_nie":
            number = rng.randrange(1_000_000, 9_999_999)
            return f"X{number:07d}{'TRWAGMYFPDXBNJZSQVHLCKE'[number % 23]}"
        case "it":
            return _codice_fiscale(rng)
        case "nl":
            while True:
                body = digits(rng, 8)
                check = weighted_sum(body, [9, 8, 7, 6, 5, 4, 3, 2]) % 11
                if check < 10 and body[0] != "0":
                    return f"{body}{check}"
        case "pl":
            body = f"{rng.randrange(50, 99)}{rng.randrange(1, 13):02d}{rng.randrange(1, 29):02d}"
            body += digits(rng, 4)
            return body + str(-weighted_sum(body, [1, 3, 7, 9, 1, 3, 7, 9, 1, 3]) % 10)
        case "se":
            body = f"{rng.randrange(50, 99)}{rng.randrange(1, 13):02d}{rng.randrange(1, 29):02d}"
            serial = digits(rng, 3)
            return f"19{body}-{serial}{luhn_digit(body + serial)}"
        case "fi":
            date = f"{rng.randrange(1, 29):02d}{rng.randrange(1, 13):02d}{rng.randrange(40, 99)}"
            serial = f"{rng.randrange(2, 900):03d}"
            return f"{date}-{serial}{'0123456789ABCDEFHJKLMNPRSTUVWXY'[int(date + serial) % 31]}"
        case "be":
            body = f"{rng.randrange(50, 99)}{rng.randrange(1, 13):02d}{rng.randrange(1, 29):02d}"
            serial = f"{rng.randrange(1, 998):03d}"
            check = f"{97 - int(body + serial) % 97:02d}"
            return f"{body[:2]}.{body[2:4]}.{body[4:]}-{serial}.{check}"
        case "pt":
            body = "2" + digits(rng, 7)
            check = 11 - weighted_sum(body, [9, 8, 7, 6, 5, 4, 3, 2]) % 11
            return body + str(0 if check > 9 else check)
        case "br" | "br_plain":
            body = digits(rng, 9)
            for _ in range(2):
                check = weighted_sum(body, list(range(len(body) + 1, 1, -1))) * 10 % 11 % 10
                body += str(check)
            if argument == "br_plain":
                return body
            return f"{body[:3]}.{body[3:6]}.{body[6:9]}-{body[9:]}"
        case "in" | "in_plain":
            body = str(rng.randrange(2, 10)) + digits(rng, 10)
            number = body + verhoeff_digit(body)
            return number if argument == "in_plain" else f"{number[:4]} {number[4:8]} {number[8:]}"
        case "in_pan":
            return f"{_letters(rng, 3)}P{_letters(rng, 1)}{digits(rng, 4)}{_letters(rng, 1)}"
        case "cn":
            body = f"110105{rng.randrange(1950, 2005)}{rng.randrange(1, 13):02d}"
            body += f"{rng.randrange(1, 29):02d}{digits(rng, 3)}"
            weights = [pow(2, 17 - i, 11) for i in range(17)]
            return body + "10X98765432"[weighted_sum(body, weights) % 11]
        case "ca":
            body = str(rng.randrange(1, 8)) + digits(rng, 7)
            number = body + luhn_digit(body)
            return f"{number[:3]}-{number[3:6]}-{number[6:]}"
        case "za":
            body = f"{rng.randrange(50, 99)}{rng.randrange(1, 13):02d}{rng.randrange(1, 29):02d}"
            body += digits(rng, 4) + "08"
            return body + luhn_digit(body)
        case "ch":
            body = "756" + digits(rng, 9)
            check = -weighted_sum(body, [1, 3] * 6) % 10
            return f"756.{body[3:7]}.{body[7:11]}.{body[11]}{check}"
        case "kr":
            body = f"{rng.randrange(50, 99)}{rng.randrange(1, 13):02d}{rng.randrange(1, 29):02d}"
            body += f"1{rng.randrange(97):02d}{digits(rng, 3)}"
            check = (11 - weighted_sum(body, [2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5]) % 11) % 10
            return f"{body[:6]}-{body[6:]}{check}"
        case "tr":
            body = str(rng.randrange(1, 10)) + digits(rng, 8)
            odd, even = (sum(map(int, body[start::2])) for start in (0, 1))
            body += str((odd * 7 - even) % 10)
            return body + str(sum(map(int, body)) % 10)
        case "mx":
            return _curp(rng)
        case "sg":
            body = digits(rng, 7)
            return f"S{body}{'JZIHGFEDCBA'[weighted_sum(body, [2, 7, 6, 5, 4, 3, 2]) % 11]}"
        case "au":
            while True:
                body = str(rng.randrange(1, 10)) + digits(rng, 8)
                if weighted_sum(body, [1, 4, 3, 7, 5, 8, 6, 9, 10]) % 11 == 0:
                    return f"{body[:3]} {body[3:6]} {body[6:]}"
        case "dk":
            date = f"{rng.randrange(1, 29):02d}{rng.randrange(1, 13):02d}{rng.randrange(50, 99)}"
            return f"{date}-{rng.randrange(4)}{digits(rng, 3)}"
        case _:
            raise KeyError(argument)


def _letters(rng: Rng, count: int) -> str:
    return "".join(rng.choices(string.ascii_uppercase, k=count))


def _codice_fiscale(rng: Rng) -> str:
    """Return an Italian tax code with its check letter."""
    consonants = "BCDFGLMNPRSTVZ"
    body = "".join(rng.choices(consonants, k=6)) + f"{rng.randrange(40, 99)}"
    body += rng.choice("ABCDEHLMPRST") + f"{rng.randrange(1, 29):02d}"
    body += rng.choice(["H501", "F205", "L219", "A944"])
    odd_digits = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21]
    odd_letters = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22]
    odd_letters += [25, 24, 23]
    total = 0
    for index, char in enumerate(body):
        order = int(char) if char.isdigit() else ord(char) - ord("A")
        if index % 2:
            total += order
        else:
            total += odd_digits[order] if char.isdigit() else odd_letters[order]
    return body + string.ascii_uppercase[total % 26]


def _curp(rng: Rng) -> str:
    """Return a Mexican population code with its check digit."""
    body = rng.choice(["GOMC", "HERM", "LOPA", "RAMJ"]) + f"{rng.randrange(50, 99)}"
    body += f"{rng.randrange(1, 13):02d}{rng.randrange(1, 29):02d}{rng.choice('HM')}"
    body += rng.choice(["DFRRRL", "JCNZPS", "NLGMLN"])[:5] + "0"
    alphabet = "0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ"
    total = sum(alphabet.index(char) * (18 - index) for index, char in enumerate(body))
    return body + str(-total % 10)


def digits(rng: Rng, count: int) -> str:
    """Draw a digit string."""
    return "".join(rng.choices(string.digits, k=count))
