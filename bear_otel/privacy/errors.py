"""Find row values and user input in the error texts of drivers, validators and Python itself."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from bear_otel.privacy.findings import Finding
from bear_otel.privacy.shapes import SERVICE_USERS, is_placeholder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bear_otel.privacy.source import Source

_QUOTED: Final = (
    r"""(?:(?<![\w.])'((?:[^'\\]|\\.|''|'(?=\w)){0,4096})'|(?<!\w)"((?:[^"\\]|\\.){0,4096})\""""
    r"""|b'([^']{0,4096})'|“([^”\n]{0,4096})”|\u2018([^\u2019\n]{0,4096})\u2019)"""
)


class _Text(NamedTuple):
    name: str
    words: frozenset[str]
    signs: tuple[str, ...]
    pattern: str
    kind: str


def _row(
    name: str, words: str, pattern: str, kind: str = "row", signs: tuple[str, ...] = ()
) -> _Text:
    return _Text(name, frozenset(words.split()), signs, pattern, kind)


# A quoted value before words that judge it.
_JUDGED: Final = (
    "' is not ",
    '" is not ',
    "' does not ",
    '" does not ',
    "' was not ",
    '" was not ',
    "” ",
)


_SUBMITTED: Final = "submitted value"
_WORD = re.compile(r"[A-Za-z_][A-Za-z_-]*|[^\w]*")  # an option, a type, a name of code
# Each group that took part in a match is a value.
_TEXTS: Final = (
    _row(
        "PostgreSQL key",
        "",
        signs=(")=(",),
        pattern=r"\([^()\n]{1,256}(?:\([^()\n]*\))?[^()\n]*\)=\(([^\n]{1,1024}?)(?:\)(?=[.,;]?("
        r"?:\s+(?:already|is|conflicts|still|does|in\s)|\s*$|\.|\n|\"|'))|\Z)",
    ),
    _row(
        "PostgreSQL row",
        "failing",
        r"[Ff]ailing row contains \((.{1,4096}?)\)(?=\.?\s*(?:\n|$|\[)|\.)",
    ),
    _row("PostgreSQL value", "invalid", r"invalid input (?:syntax|value) for [\w ]{1,48}: QUOTED"),
    _row("PostgreSQL value", "range", r"(?:value|range:?) QUOTED(?: is)?(?: out of range)?"),
    _row("PostgreSQL value", "malformed", r"malformed \w+ literal: QUOTED"),
    _row("PostgreSQL COPY", "copy", r"COPY [\w.\"]+, line \d+(?:, column \w+)?: QUOTED"),
    _row("PostgreSQL parameter", "parameter parameters", r"\$\d+ = QUOTED"),
    _row("MySQL entry", "duplicate", r"[Dd]uplicate entry '(.{0,1024}?)' for key"),
    _row("MySQL value", "incorrect", r"(?:Incorrect|incorrect) \w+(?: \w+)? value: QUOTED"),
    _row("MySQL near", "near", r"\bnear '(.{1,4096}?)' at line"),
    _row("SQL Server near", "incorrect", r"Incorrect syntax near QUOTED"),
    _row("SQLite token", "unrecognized", r'unrecognized token: "(.{1,1024}?)"(?=\s|$|\)|\n)'),
    _row("SQL Server key", "duplicate", r"duplicate key value is \((.{1,4096}?)\)\.?(?=\s|$|\"|')"),
    _row("SQL Server value", "converting", r"converting the \w+(?:\(\w+\))? value QUOTED"),
    _row("SQL Server value", "truncated", r"[Tt]runcated value: QUOTED"),
    _row("Oracle row", "column", r"column values \((.{1,2048}?)\)(?=\s|$|\.)"),
    _row("MongoDB key", "dup", r"dup key: \{(.{1,4096}?)\}(?=[\s,'\"}]|$)"),
    _row("MongoDB key", "keyvalue", r"['\"]keyValue['\"]: ?\{(.{1,4096}?)\}"),
    _row(
        "SQLAlchemy parameters",
        "parameters",
        r"\[parameters: (.{1,16384}?)\](?=\s*(?:\n|$|\(Background)|\"|'|\\n)",
    ),
    _row(
        "SQLAlchemy echo",
        "generated cached raw caching key",
        r"\[(?:generated in|cached since|no key|raw sql"
        r"|caching disabled)[^\]\n]{0,80}\] "
        r"(?!\(\)|\[\]|\{\})([({\[].{1,8192}?[)}\]])(?=\s*(?:\n|$)|[\"'])",
    ),
    _row(
        "bound parameters",
        "param params parameters variables",
        r"\b(?:parameters|params|bind params?|bind variables|query params|with params?"
        r"|sql_params|bound parameters)\b['\"]?\s?[:=]?\s?([\[({](?:[^\[\](){}]"
        r"|[\[({][^\[\](){}]*[\])}]){1,8192}[\])}])",
    ),
    _row("bound parameters", "args", r"; args=([\[({].{1,8192}?[\])}])(?=;|\s*$|\n)"),
    _row(
        "bound parameter",
        "binding",
        r"binding parameter \[[\w:, ]+\](?: as \[\w+\])? - \[([^\]\n]{0,1024})\]",
    ),
    _row("bound parameter", "binding", r"binding parameter \(\d+:\w+\) <- \[([^\]\n]{0,1024})\]"),
    _row("bound parameter", "binding", r"[Ee]rror binding parameter \S+ - QUOTED"),
    _row("pydantic input", "input", r"\binput_value=(.{1,4096}?)(?=, input_type=|\Z)"),
    _row("validation input", "input", r"'input': (?:QUOTED|([\[{].{1,4096}?[\]}])(?=, '|\}))"),
    _row("validation input", "input", r'"input": ?(?:QUOTED|([\[{].{1,4096}?[\]}])(?=, ?"|\}))'),
    _row("JSON schema instance", "instance", r"On instance[^\n]*:\n\s+([^\n]{1,2048})"),
    _row("validation", "valid", r"\b[Nn]ot a valid [\w ]{1,48}: ([^'\"\n]{1,256})"),
    _row(
        "validation",
        "invalid",
        r"\b[Ii]nvalid (?:[Uu][Uu][Ii][Dd]|e-?mail(?: address)?|phone(?: number)?"
        r"|date(?: of birth)?|integer|number|name|user ?name|address|post ?code|zip ?code)"
        r": ([^'\"\n]{1,256})",
    ),
    _row("validation", "choice", r"[Ii]nvalid choice: QUOTED"),
    _row("conversion", "bad", r"\bBad \w+ value: ([^'\"\n]{1,256})"),
    _row("conversion", "deserialize", r"from [Ss]tring QUOTED"),
    _row("conversion", "parsing", r"parsing (?:time )?QUOTED(?=: | as )"),
    _row("conversion", "parse", r"[Cc]annot parse string ([^'\"\n]{1,256}?) as \w"),
    _row("Cassandra constant", "constant", r"Invalid \w+ constant \((.{1,512}?)\)"),
    _row("Redis arguments", "beginning", r"args beginning with: ([^\n]{1,1024})"),
    _row(
        "validation",
        "",
        r"QUOTED (?:(?:is|was) not (?:a\b|an\b|of\b|one\b|in\b|valid\b|recogni)"
        r"|does not match|value must)",
        signs=_JUDGED,
    ),
    _row("conversion", "literal", r"invalid literal for [\w()]+(?: with base \d+)?: QUOTED"),
    _row(
        "conversion",
        "convert cast coerce",
        r"(?:[Cc]ould not|[Uu]nable to|failed to|cannot|can't) (?:convert|parse|decode"
        r"|cast|deserialize|coerce)\b[\w ]{0,40}?:? ?QUOTED",
    ),
    _row("conversion", "isoformat", r"Invalid isoformat string: QUOTED"),
    _row("conversion", "data", r"time data QUOTED"),
    _row("conversion", "numberformatexception", r'For input string: "([^"\n]{0,512})"'),
    _row("conversion", "unconverted", r"unconverted data remains: (\S+)"),
    _row("conversion", "invalid", r"[Ii]nvalid value:? QUOTED"),
    _row(
        "conversion",
        "parse decode deserialize read",
        r"(?:[Cc]ould not|[Uu]nable to|[Ff]ailed to|[Cc]annot|[Cc]an't) (?:parse|decode"
        r"|deserialize|read)\b[\w ]{0,40}?:? ?QUOTED",
    ),
    _row("MySQL column", "unknown", r"Unknown column \\?'([^'\n]{1,256}?)\\?' in \\?'where clause"),
    _row(
        _SUBMITTED,
        "value values string received got given input rejected actual found literal tex"
        "t argument data contains",
        r"(?:value|values|string|received|got|given|input|rejected|actual|found|literal"
        r"|text|argument|data|contains)"
        r"(?: is| was| of)?(?:: ?| )\[?QUOTED",
    ),
    _row("bound parameter", "bind binds bound", r"\b(?:binds?|bound)(?: values?)?: ?QUOTED"),
    _row(_SUBMITTED, "received", r'"received": ?QUOTED'),
    _row(_SUBMITTED, "value values rejected", r"(?:value|values|rejected) \[([^\]\n]{1,512})\]"),
    _row(
        "API key",
        "provided",
        r"(?:key|token|password|credentials?|secret) provided: ([^\s'\",]{4,512})",
        "token",
    ),
    _row("Access denied", "user", r"for user:? QUOTED", "user"),
    _row("MySQL user", "user", r"'([^'\n]{1,64})'@'[^'\n]*'", "user"),
    _row("pipeline command", "pipeline", r"Command # \d+ \(([^\n]{1,1024}?)\) of pipeline"),
    _row(
        "Kafka record",
        "consumerrecord",
        r"\b(?:key|value) ?= ?(b?'(?:[^'\\]|\\.)*'|b?\"(?:[^\"\\]|\\.)*\")",
    ),
    _row("DynamoDB item", "s", r"\{'S': '([^']{0,1024})'\}"),
    _row("DynamoDB item", "s", r'\{"S": ?"([^"]{0,1024})"\}'),
    _row(
        "LDAP name",
        "dc ou",
        r"\b(?:uid|UID|cn|CN|mail|sAMAccountName)=([^,\n=+]{1,64})(?=,\s?(?:ou|OU|dc|DC"
        r"|o|O|cn|CN)=)",
        "user",
    ),
    _row(
        "LDAP filter",
        "uid cn mail samaccountname userprincipalname givenname sn",
        r"\((?:uid|mail|cn|sAMAccountName|userPrincipalName|givenName|sn)=([^()*\n]{1,128})\)",
        "user",
    ),
)
# The signs of `_JUDGED` have these in them.
ERROR_WORDS: Final = frozenset(("not", "must")).union(*(row.words for row in _TEXTS))


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """Compile the pattern of an error text when the first such text may be there."""
    return re.compile(pattern.replace("QUOTED", _QUOTED), re.DOTALL)


def find_error_values(source: Source) -> Iterator[Finding]:
    """Yield the data that error texts quote."""
    text, words = source.text, source.words
    for row in _TEXTS:
        if row.words.isdisjoint(words) and not any(sign in text for sign in row.signs):
            continue
        for found in _compiled(row.pattern).finditer(text):
            for group in range(1, (found.lastindex or 0) + 1):
                value = found[group]
                if not value or is_placeholder(value):
                    continue
                if row.name == _SUBMITTED and _WORD.fullmatch(value):
                    continue
                if row.kind == "user" and (value.lower() in SERVICE_USERS or value.isdigit()):
                    continue
                yield Finding(*found.span(group), row.kind, row.name)
