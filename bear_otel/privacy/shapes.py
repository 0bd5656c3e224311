"""Judge a value by its shape: a placeholder, a word of prose, a secret, a person, a date."""

from __future__ import annotations

import re
from typing import Final

from bear_otel.privacy.source import word_set
from bear_otel.privacy.words import META

_PLACEHOLDER = re.compile(
    r"""(?:none|null|nil|true|false|undefined|nan|n/?a|yes|no|unset|empty|unknown|anonymous|default
    |str|string|int|integer|number|bool|boolean|bytes|any|object|secretstr|optional\[.*|list\[.*
    |[*•x●·]{3,}|[*•●·]+\S{0,4}|\S{0,4}[*•●·]{3,}\S{0,4}|\.{3}|…|-+|[?!]
    |\$\{?\w+\}?|\$\(\w.*|\$\d+|%\(?\w*\)?[sdr]|%\w+%|\{\{?[\w .]*\}?\}|:\w+|@\w+
    |<[\w .-]*>|\[\w*(?:filtered|redacted|hidden|masked|removed|sensitive)\w*\]?
    |redacted|\(?(?:filtered|hidden|masked)\)?
    |<(?:redacted|hidden|filtered|secret|masked)|\[\]|\{\}|\(\)|""|''|[^\w\s]{0,2})""",
    re.IGNORECASE | re.VERBOSE,
)
_CODE = re.compile(
    r"(?:self|cls|this|os|request|req|settings|config|cfg|conf|args|kwargs|options|opts"
    r"|env|environ|process"
    r"|ctx|context|params|data|form|body|payload|event|user|row|obj|vault"
    r"|secrets)(?:\.[A-Za-z_]\w*|\[).*"
    r"|[A-Za-z_][\w.]*[({].*|(?:await|new|lambda|yield|return|not|async|typeof|f\"|f')\b.*",
    re.DOTALL,
)
# Words that follow `password:` or `token is` when the text speaks about it.
PROSE: Final = META | word_set("""
    a an the is was are were be been has have had not no nor and or but for from to of in on at by
    with without as if it its this that these those must should can could cannot can't will would
    may might do does did doesn't isn't wasn't didn't don't must should too very never always
    already please your my our their his her new old invalid missing incorrect wrong expired
    revoked rejected accepted denied refused failed failing mismatch mismatched malformed
    unsupported unknown unexpected unauthorized forbidden blocked locked disabled enabled changed
    updated reset rotated refreshed renewed issued generated created deleted removed stored saved
    loaded read written sent received found set unset provided given supplied entered required
    optional needed used valid verified verification validation confirmed signature short long
    weak strong empty blank field fields value values input parameter parameter's header headers
    check checks checked rotation refresh refreshing renewal rejection exchange exchanged parsing
    parse parsed decoding decode decoded encoding encrypted decrypted hashing hashed hidden
    redacted masked filtered ok okay success successful successfully done pending queued
    processing started finished completed closed opened open established active inactive idle lost
    gone alive dead ready available unavailable authenticated authorized logged login logout
    signed sign signin expires expiring expiry policy rules rule count limit limits length size
    type types only when while after before because since until there here now then again still
    just also into onto via per plus error errors exception warning info debug cannot unable
    attempt attempts try tries retry retries retrying request requests response service services
    manager provider endpoint server client api http https url bucket cache vault store handler
    helper module class function method object instance name names id ids list table column index
    string number integer boolean text file files path data reading writing using use uses same
    different between out about being under over both used more less most some each every other
    another above below between through during back down up off such own what which who whom whose
    how where between we you he she they i mode auth authentication authorization management
    rotation lookup lookups fetch fetched fetching
    """)
SERVICE_USERS: Final = word_set("""
    root admin administrator postgres mysql redis mongo mongodb rabbitmq kafka nginx apache
    www-data www nobody system service daemon anonymous anon guest none null app web worker bot
    scheduler cron ci cd deploy deployer jenkins gitlab github runner gitlab-runner ubuntu
    ec2-user centos debian vagrant docker node python django celery user users default test tester
    sa sys postgres-user readonly reader writer monitor monitoring prometheus grafana datadog otel
    agent svc internal public me self unknown all any new current local localhost vscode codespace
    coder circleci travis runneradmin appuser nonroot webapp api backend frontend server dev
    developer ops git http https build builder jovyan airflow spark hadoop elasticsearch kibana
    logstash container flask fastapi gunicorn uvicorn code src project projects work workspace
    """)
_PERSON = re.compile(
    r"[^\W\d_a-z][^\W\d_]*(?:['\u2019.-][^\W\d_]*)*"
    r"(?:,?\s(?:(?:de|da|do|dos|das|del|della|di|van|von|den|der|zu|af|av|bin|ibn|al|el"
    r"|la|le|ter|ten|y|e|und|and)\s){0,2}"
    r"[^\W\d_a-z][^\W\d_]*(?:['\u2019.-][^\W\d_]*)*){0,4}"
)
DATE = re.compile(
    r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/. ]{1,2}\d{1,2}[-/. ]{1,2}\d{2,4}"
    r"|(?:19|20)\d{6}|\d{4}年\d{1,2}月\d{1,2}日"
    r"|\d{4}년 ?\d{1,2}월 ?\d{1,2}일"
    r"|\d{1,2}(?:st|nd|rd|th|\.|er|º)?[ -](?:de )?[^\W\d_]{3,10}\.?,?[ -](?:de )?\d{2,4"
    r"}|[^\W\d_]{3,10}\.? \d{1,2}(?:st|nd|rd|th)?,? \d{2,4})"
    r"(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"
)
_PIECE = re.compile(r"[A-Za-z0-9]+")
_NAMED = re.compile(r"[A-Za-z]?[a-z]+\d{1,6}|\d{1,4}[a-z]+|[A-Z]+\d{1,4}")
_RANDOM = re.compile(r"[\w+/=.~%-]+")
_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_NOT_PERSON = word_set("""
    service team plan server queue job worker system product premium order group department
    default policy cluster node database table index pipeline workflow task project app
    application api client gateway module model test demo staging production report dashboard
    alert rule channel topic basic standard pro enterprise free account inc ltd llc gmbh corp
    company bank store shop the new my your daily weekly monthly annual main primary secondary
    internal external public private error exception not no library documentation portal guide
    manual settings interface layer controller handler factory builder provider repository started
    ready unknown none null true false get post put delete patch head options
    """)


def is_placeholder(value: str) -> bool:
    """Say whether a value is empty, masked, a parameter, or a type: nothing to protect."""
    return _PLACEHOLDER.fullmatch(value.strip()) is not None


def is_code(value: str) -> bool:
    """Say whether a value is an expression of source code."""
    return _CODE.fullmatch(value) is not None


def is_prose(value: str) -> bool:
    """Say whether a value is a plain word that sentences about secrets use."""
    word = value.strip(".,;:!?)('\"")
    return word.lower() in PROSE or (
        word.isalpha() and word.islower() and word.endswith(_PROSE_ENDS)
    )


_PROSE_ENDS: Final = ("ed", "ing", "tion", "ment", "ness", "ible", "able", "less", "tly", "lly")


def looks_secret(value: str, *, least: int = 6) -> bool:
    """Say whether a bare word has what words of a sentence lack: digits, signs or mixed case."""
    if len(value) < least or _UUID.fullmatch(value):
        return False
    letters = sum(c.isalpha() for c in value)
    if letters == len(value):
        return value[1:] != value[1:].lower() and value != value.upper() and len(value) >= 8
    return any(c.isdigit() for c in value) or any(c in "!@#$%^&*+~" for c in value)


def looks_random(value: str, *, least: int = 16) -> bool:
    """Say whether a value is a long run of mixed letters and digits, as keys and signatures are."""
    if len(value) < least or _RANDOM.fullmatch(value) is None or _UUID.fullmatch(value):
        return False
    if len(set(value)) < 8:
        return False  # a repeated pattern is no secret
    digits = letters = 0
    mixed = False
    for piece in _PIECE.findall(value):
        own_digits = digit_count(piece)
        own_letters = sum(c.isalpha() for c in piece)
        capitals = sum(c.isupper() for c in piece)
        digits, letters = digits + own_digits, letters + own_letters
        # A word with a number behind it, such as `windows2019`, is a name.
        mixed |= (
            len(piece) >= 8
            and own_letters > 1
            and _NAMED.fullmatch(piece) is None
            and own_digits > 0
        )
        mixed |= len(piece) >= 20 and own_digits < 2 and 6 <= capitals <= own_letters - 6
    if digits < 2:
        return mixed
    return mixed and letters >= 4 and digits + letters >= 0.85 * len(value)


def person_at(text: str, start: int) -> int:
    """Return the end of the capitalised words at an offset that may be a person's name."""
    found = _PERSON.match(text, start)
    if found is None:
        return start
    end = found.end()
    return end if end - start > 1 else start


def looks_person(value: str, *, words: int = 1) -> bool:
    """Say whether a whole value reads as a person's name of at least so many words."""
    value = value.strip()
    if not value or len(value) > 80 or any(c.isdigit() for c in value):
        return False
    if not value.isascii() and _no_case(value):
        return len(value) <= 12
    parts = value.replace(",", " ").split()
    if len(parts) < words or person_at(value, 0) != len(value):
        return False
    shouted = [part.isupper() and len(part) > 1 for part in parts]
    if any(shouted) and not all(shouted):
        return False  # `TCP Wrapper`
    return _NOT_PERSON.isdisjoint(part.lower() for part in parts)


def _no_case(value: str) -> bool:
    return all(not c.isalpha() or c.lower() == c.upper() for c in value)


def digit_count(value: str) -> int:
    """Return how many digits a value has."""
    return sum(c.isdigit() for c in value)
