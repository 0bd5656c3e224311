"""Find phone numbers, identity numbers and dates of birth that a sentence introduces."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from bear_otel.privacy.findings import Finding
from bear_otel.privacy.shapes import DATE, digit_count
from bear_otel.privacy.source import Phrases, word_set

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bear_otel.privacy.source import Source

_PHONE: Final = Phrases(
    """
    phone, telephone, tele, tel, mobile, cell, cellphone, fax, call, called, caller, calling,
    dial, dialed, dialled, dialing, sms, whatsapp, text, texted, ring, rang, msisdn, telefon,
    telefonnummer, handy, handynummer, mobil, mobilnummer, mobiltelefon, rufnummer, téléphone,
    tél, teléfono, telefono, móvil, movil, cellulare, telefone, celular, telefoon, puhelin,
    telefonu, телефон, телефона, тел, τηλέφωνο, τηλ, contact, reach, reached, anruf, anrufer,
    appel, portable, llamada
""",
    r"\b(?:PHRASE)\b\.?"
    r"(?:[ \t]?(?:number|no\.?|nr\.?|num\.?|is|was|at|to|on|from|me|us|him|her|them"
    r"|sent|#|:|ist|de|du|the|customer|user|unter|via|back)){0,4}[ \t]?"
    r"([+(]{0,2}\d[\d ()./\u00a0\-\u2013]{5,22}\d)(?!\w)",
)
# Scripts without spaces: such a word stands inside a longer run.
_PHONE_STEM: Final = Phrases(
    "电话, 手机, 電話, 携帯, 전화, 휴대폰, 联系", r"(?:PHRASE)[^\d\n+]{0,8}(\+?\d[\d -]{7,16}\d)"
)
_ID: Final = Phrases(
    """
    ssn, social security, sin, nino, nin, national insurance, nhs, tax id, taxpayer id,
    taxpayer identification, tin, itin, steuer-id, steuer id, steuerid,
    steueridentifikationsnummer, steuernummer, steuerliche identifikationsnummer,
    sozialversicherungsnummer, rentenversicherungsnummer, ahv, passport, reisepass, passeport,
    pasaporte, passaporto, paszport, паспорт, паспорта, personalausweis, personalausweisnummer,
    ausweisnummer, driver's license, drivers license, driver license, driving licence,
    driving license, license plate, licence plate, number plate, kennzeichen, national id,
    identity card, dni, nie, nif, nir, insee, sécurité sociale, securite sociale, codice fiscale,
    cpf, cnpj, rg, aadhaar, aadhar, pan, pan card, pesel, bsn, personnummer, fødselsnummer,
    fodselsnummer, cpr, hetu, henkilötunnus, curp, rut, cuit, cuil, nric, mrn, medicare,
    medical record, patient, tfn, tax file, emirates id, iqama, cnp, egn, oib, jmbg, amka, kimlik,
    снилс, инн, my number, mynumber, imei, imsi, iccid, vin, policy, member, membership,
    insurance, employee, customer, kunde, kunden, patienten, student, citizen, resident, voter,
    visa,
    account, acct, bank account, routing, sort code, konto, kontonummer
    """,
    r"\b(PHRASE)\b"
    r"(?:[ \t]?(?:number|no\.?|nr\.?|num\.?|nummer|id|is|was|card|código|numero|número|numéro"
    r"|#|:|=|ist|es|est|plate|record|ending)){0,4}[ \t:#]?[ \t]?"
    # a number in groups, each beginning with a digit
    r"((?:[A-Z]{1,3}[ -]?)?\d[\dA-Z]{0,20}(?:[ ./\-]\d[\dA-Z]{0,12}){0,7}(?:[ -][A-Z]\b)?"
    r"|[A-Z]{1,6}\d[\dA-Z]{3,18})(?!\w)",
)
_ID_STEM: Final = Phrases(
    "身份证, 주민등록번호, マイナンバー, 护照", r"(?:PHRASE)[^\d\n]{0,6}([A-Z]?\d[\dX -]{6,20})"
)
_ACCOUNTS: Final = frozenset(
    ("account", "acct", "bank account", "routing", "sort code", "konto", "kontonummer")
)
# Words that need `number`, `no` or `#` behind them before a number is a person's.
_LOOSE: Final = word_set("""
    account acct routing policy member membership insurance employee customer kunde kunden patient
    patienten student citizen resident voter visa sin tin vin nie rut pan rg konto
    """)
_NUMBERED = re.compile(r"number|\bno\b|\bnr\b|num|#|nummer|\bid\b", re.IGNORECASE)
_BIRTH: Final = Phrases(
    """
    born, dob, birth date, birthdate, birthday, date of birth, geboren, geb, geburtsdatum,
    geburtstag, né, née, naissance, nacido, nacida, nacimiento, nato, nata, nascita, nascido,
    nascida, nascimento, geboortedatum, född, født, syntynyt, urodzony, urodzona, narozen,
    narozena, родился, родилась, рождения
""",
    r"\b(?:PHRASE)\b\.?(?:\s?(?:on|date|am|in|le|el|il|is|was|of|em|the|:|=|-)){0,3}\s?",
)
PHONE_WORDS: Final = _PHONE.words | _PHONE_STEM.words
ID_WORDS: Final = _ID.words | _ID_STEM.words
BIRTH_WORDS: Final = _BIRTH.words
STEMS: Final = _PHONE_STEM.words | _ID_STEM.words


def find_phones_in_prose(source: Source) -> Iterator[Finding]:
    """Yield phone numbers behind a word such as `call`."""
    for found in _PHONE.find(source):
        if 7 <= digit_count(found[1]) <= 15 and not DATE.fullmatch(found[1]):
            yield Finding(*found.span(1), "phone", "sentence: phone")
    for found in _PHONE_STEM.find(source):
        yield Finding(*found.span(1), "phone", "sentence: phone")


def find_ids_in_prose(source: Source) -> Iterator[Finding]:
    """Yield identity and account numbers behind their name."""
    for found in _ID.find(source):
        if digit_count(found[2]) < 5:
            continue
        word = " ".join(found[1].lower().split())
        if word in _LOOSE and not _NUMBERED.search(source.text, found.end(1), found.start(2)):
            continue
        yield Finding(*found.span(2), "iban" if word in _ACCOUNTS else "id", f"sentence: {word}")
    for found in _ID_STEM.find(source):
        yield Finding(*found.span(1), "id", "sentence: identity number")


def find_births_in_prose(source: Source) -> Iterator[Finding]:
    """Yield dates behind `born on` and its like."""
    for found in _BIRTH.find(source):
        date = DATE.match(source.text, found.end())
        if date is not None:
            yield Finding(*date.span(), "birthdate", "sentence: birth")
