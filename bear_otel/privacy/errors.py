"""Find row values and user input inside the error texts of drivers, validators and Python itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from bear_otel.privacy.findings import Finding
from bear_otel.privacy.shapes import SERVICE_USERS, is_placeholder

if TYPE_CHECKING:
    from collections.abc import Iterator

_QUOTED = (
    r"""(?:'((?:[^'\\]|\\.|''|'(?=[\w])){0,4096})'|"((?:[^"\\]|\\.){0,4096})"|b'([^']{0,4096})')"""
)


class _Text(NamedTuple):
    name: str
    gate: str
    pattern: re.Pattern[str]


def _row(name: str, gate: str, pattern: str) -> _Text:
    return _Text(name, gate, re.compile(pattern.replace("QUOTED", _QUOTED), re.DOTALL))


# Each group that took part in a match is a value.
_TEXTS: Final = (
    _row("PostgreSQL key", ")=(", r"\([^()\n]{1,256}(?:\([^()\n]*\))?[^()\n]*\)=\((.{1,4096}?)\)(?=[.,;]?(?:\s+(?:already|is|conflicts|still|does|in\s)|\s*$|\.|\n|\"|'))"),
    _row("PostgreSQL row", "failing row", r"[Ff]ailing row contains \((.{1,4096}?)\)(?=\.?\s*(?:\n|$|\[)|\.)"),
    _row("PostgreSQL value", "invalid input", r"invalid input (?:syntax|value) for [\w ]{1,48}: QUOTED"),
    _row("PostgreSQL value", "out of range", r"(?:value|range:?) QUOTED(?: is)?(?: out of range)?"),
    _row("PostgreSQL value", "malformed", r"malformed \w+ literal: QUOTED"),
    _row("PostgreSQL COPY", "copy ", r"COPY [\w.\"]+, line \d+(?:, column \w+)?: QUOTED"),
    _row("PostgreSQL parameter", "parameter", r"\$\d+ = QUOTED"),
    _row("MySQL entry", "duplicate entry", r"[Dd]uplicate entry '(.{0,1024}?)' for key"),
    _row("MySQL value", "incorrect", r"(?:Incorrect|incorrect) \w+(?: \w+)? value: QUOTED"),
    _row("MySQL near", " near ", r"\bnear '(.{1,4096}?)' at line"),
    _row("SQL Server near", "incorrect syntax", r"Incorrect syntax near QUOTED"),
    _row("SQLite token", "unrecognized token", r'unrecognized token: "(.{1,1024}?)"(?=\s|$|\)|\n)'),
    _row("SQL Server key", "duplicate key value", r"duplicate key value is \((.{1,4096}?)\)\.?(?=\s|$|\"|')"),
    _row("SQL Server value", "converting", r"converting the \w+(?:\(\w+\))? value QUOTED"),
    _row("SQL Server value", "truncated value", r"[Tt]runcated value: QUOTED"),
    _row("Oracle row", "column values", r"column values \((.{1,2048}?)\)(?=\s|$|\.)"),
    _row("MongoDB key", "dup key", r"dup key: \{(.{1,4096}?)\}(?=[\s,'\"}]|$)"),
    _row("MongoDB key", "keyvalue", r"['\"]keyValue['\"]: ?\{(.{1,4096}?)\}"),
    _row("SQLAlchemy parameters", "[parameters:", r"\[parameters: (.{1,16384}?)\](?=\s*(?:\n|$|\(Background)|\"|'|\\n)"),
    *(
        _row("SQLAlchemy echo", gate, r"\[(?:generated in|cached since|no key|raw sql|caching disabled)[^\]\n]{0,80}\] ([({\[].{1,8192}?[)}\]])(?=\s*(?:\n|$))")
        for gate in ("[generated in", "[cached since", "[no key", "[raw sql", "[caching disabled")
    ),
    _row("bound parameters", "param", r"\b(?:parameters|params|bind params?|bind variables|query params|with params?|sql_params|bound parameters)\b['\"]?\s?[:=]?\s?([\[({](?:[^\[\](){}]|[\[({][^\[\](){}]*[\])}]){1,8192}[\])}])"),
    _row("bound parameters", "args=", r"; args=([\[({].{1,8192}?[\])}])(?=;|\s*$|\n)"),
    _row("bound parameter", "binding parameter", r"binding parameter \[[\w:, ]+\](?: as \[\w+\])? - \[([^\]\n]{0,1024})\]"),
    _row("bound parameter", "binding parameter", r"binding parameter \(\d+:\w+\) <- \[([^\]\n]{0,1024})\]"),
    _row("bound parameter", "error binding", r"[Ee]rror binding parameter \S+ - QUOTED"),
    _row("pydantic input", "input_value", r"\binput_value=(.{1,4096}?)(?=, input_type=|\Z)"),
    _row("validation input", "'input'", r"'input': (?:QUOTED|([\[{].{1,4096}?[\]}])(?=, '|\}))"),
    _row("validation input", '"input"', r'"input": ?(?:QUOTED|([\[{].{1,4096}?[\]}])(?=, ?"|\}))'),
    _row("JSON schema instance", "on instance", r"On instance[^\n]*:\n\s+([^\n]{1,2048})"),
    _row("JSON schema value", "is not of type", r"QUOTED is not of type"),
    _row("JSON schema value", "does not match", r"QUOTED does not match"),
    _row("JSON schema value", "is not a ", r"QUOTED is not a (?:valid\b|'|\")"),
    _row("JSON schema value", "is not a valid", r"\bvalue is not a valid [\w ]+: (\S+)$"),
    _row("enumeration value", "is not a valid", r"QUOTED is not a valid"),
    _row("enumeration value", "is not one of", r"QUOTED is not one of"),
    _row("conversion", "invalid literal", r"invalid literal for [\w()]+(?: with base \d+)?: QUOTED"),
    _row("conversion", "conver", r"(?:[Cc]ould not|[Uu]nable to|failed to|cannot|can't) (?:convert|parse|decode|cast|deserialize|coerce)\b[\w ]{0,40}?:? ?QUOTED"),
    _row("conversion", "isoformat", r"Invalid isoformat string: QUOTED"),
    _row("conversion", "time data", r"time data QUOTED"),
    _row("conversion", "numberformatexception", r'For input string: "([^"\n]{0,512})"'),
    _row("conversion", "unconverted data", r"unconverted data remains: (\S+)"),
    _row("conversion", "invalid value", r"[Ii]nvalid value:? QUOTED"),
    _row("conversion", "parse", r"(?:[Cc]ould not|[Uu]nable to|[Ff]ailed to|[Cc]annot|[Cc]an't) (?:parse|decode|deserialize|read)\b[\w ]{0,40}?:? ?QUOTED"),
    _row("MySQL column", "unknown column", r"Unknown column \\?'([^'\n]{1,256}?)\\?' in \\?'where clause"),
    _row("API key", "provided", r"(?:key|token|password|credentials?|secret) provided: ([^\s'\",]{4,512})"),
    _row("Access denied", "for user", r"for user:? QUOTED"),
    _row("MySQL user", "'@'", r"'([^'\n]{1,64})'@'[^'\n]*'"),
    _row("pipeline command", "of pipeline", r"Command # \d+ \(([^\n]{1,1024}?)\) of pipeline"),
    _row("Kafka record", "consumerrecord", r"\b(?:key|value) ?= ?(b?'(?:[^'\\]|\\.)*'|b?\"(?:[^\"\\]|\\.)*\")"),
    _row("DynamoDB item", "{'s':", r"\{'S': '([^']{0,1024})'\}"),
    _row("DynamoDB item", '{"s":', r'\{"S": ?"([^"]{0,1024})"\}'),
    _row("LDAP name", "dc=", r"\b(?:uid|UID|cn|CN|mail|sAMAccountName)=([^,\n=+]{1,64})(?=,\s?(?:ou|OU|dc|DC|o|O|cn|CN)=)"),
    _row("LDAP filter", "(", r"\((?:uid|mail|cn|sAMAccountName|userPrincipalName|givenName|sn)=([^()*\n]{1,128})\)"),
)  # fmt: skip
_SERVICE_GATED: Final = ("Access denied", "MySQL user")


def find_error_values(text: str, lower: str) -> Iterator[Finding]:
    """Yield the data that error texts quote."""
    for name, gate, pattern in _TEXTS:
        if gate not in lower:
            continue
        for found in pattern.finditer(text):
            for group in range(1, (found.lastindex or 0) + 1):
                value = found[group]
                if not value or is_placeholder(value):
                    continue
                if name in _SERVICE_GATED and value.lower() in SERVICE_USERS:
                    continue
                kind = {
                    "API key": "token",
                    "Access denied": "user",
                    "MySQL user": "user",
                    "LDAP name": "user",
                    "LDAP filter": "user",
                }.get(name, "row")
                yield Finding(found.start(group), found.end(group), kind, name)
