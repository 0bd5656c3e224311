"""Summarises sanitised SQL: what it does, and to which tables.

After "Generating a summary of the query" of the database conventions
(https://opentelemetry.io/docs/specs/semconv/db/database-spans/): verbs and tables in their order
and nothing else, so that it can name a span and group queries.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# Fixed words only: the first word of what is no SQL may be anything.
_QUERIES = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE"})
_COMMANDS = frozenset(
    {
        "ALTER", "ANALYZE", "ATTACH", "BEGIN", "CALL", "CLOSE", "COMMENT", "COMMIT", "COPY",
        "CREATE", "DEALLOCATE", "DECLARE", "DESCRIBE", "DETACH", "DISCARD", "DO", "DROP", "END",
        "EXEC", "EXECUTE", "EXPLAIN", "FETCH", "FLUSH", "GRANT", "KILL", "LISTEN", "LOAD", "LOCK",
        "NOTIFY", "OPTIMIZE", "PRAGMA", "PREPARE", "REFRESH", "REINDEX", "RELEASE", "RENAME",
        "RESET", "REVOKE", "ROLLBACK", "SAVEPOINT", "SET", "SHOW", "START", "TRUNCATE", "UNLISTEN",
        "UNLOCK", "USE", "VACUUM", "VALUES",
    }
)  # fmt: skip

_PART = r'(?: "(?:[^"]|"")*" | `[^`]*` | \[[^\]]*\] | (?!(?:SELECT|STDIN)\b) [^\W\d][\w$]* )'
_NAME = rf"{_PART} (?: \s*\.\s* {_PART} )*"
_TABLES = rf"{_NAME} (?: (?: \s+ (?:AS\s+)? [^\W\d]\w* )? \s*,\s* {_NAME} )*"
_PIECE = re.compile(
    rf"""
    # What may hold such words without meaning them.
      /\*.*?(?:\*/|\Z) | --[^\n]* | '(?:[^']|'')*(?:'|\Z)
    | \b(?:FOR|KEY|DO|THEN|ON)\s+(?:UPDATE|INSERT|DELETE|MERGE)\b (?: \s+ [\w"`]+ )?
    | \bDISTINCT\s+FROM\b
    | \b(?:EXTRACT|OVERLAY|POSITION|SUBSTRING|TRIM)\s*\((?=[^()]*\bFROM\b)[^()]*\)
    | (?P<bracket> [()] )
    | (?: \b(?:FROM|JOIN|INTO|(?P<object>TABLE))\b | (?<=\bUPDATE) )
        \s+ (?:(?:IF|NOT|EXISTS|ONLY|LATERAL)\s+)* (?P<tables> {_TABLES} )
    | \b(?P<verb> SELECT | INSERT | UPDATE | DELETE | MERGE | REPLACE(?=\s+INTO) )\b
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_FIRST_WORD = re.compile(r"(?:\s+|/\*.*?\*/|--[^\n]*\n|\()*([A-Za-z]+)", re.DOTALL)
_FIRST_NAME = re.compile(rf"\s* ({_NAME}) [^,]* ,?", re.VERBOSE | re.IGNORECASE)
_QUOTES = str.maketrans("", "", '"`[]')
_LONGEST_SUMMARY = 255  # the longest that the conventions allow


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What a query does; empty where its text does not say so for certain."""

    operation: str = ""
    collection: str = ""
    text: str = ""


def summarize(sql: str) -> Summary:
    """Summarise a statement.

    Args:
        sql: Sanitised text; literals and comments that are left in it are not read.

    Returns:
        Its operation, its table if it has exactly one, and a summary of 255 characters at most.
    """
    first = _FIRST_WORD.match(sql)
    operation = first[1].upper() if first else ""
    if operation in _COMMANDS:
        return _summarize_command(operation, sql)
    if operation not in _QUERIES and operation != "WITH":
        return Summary()
    words: list[str] = []
    tables: set[str] = set()
    depth = 0
    for piece in _PIECE.finditer(sql):
        if verb := piece["verb"]:
            words.append(verb.upper())
            if operation == "WITH" and depth == 0:
                operation = verb.upper()
        elif piece["tables"]:
            found = _names(piece["tables"])
            words += found
            tables.update(found)
        elif bracket := piece["bracket"]:
            depth += 1 if bracket == "(" else -1
    collection = tables.pop() if len(tables) == 1 else ""
    return Summary(operation=operation, collection=collection, text=_join(words) or operation)


def _summarize_command(operation: str, sql: str) -> Summary:
    # Of commands only a table is read: what follows FROM in REVOKE is a user.
    for piece in _PIECE.finditer(sql):
        if piece["object"]:
            table = _names(piece["tables"])[0]
            text = _join([operation, "TABLE", table])
            return Summary(operation=operation, collection=table, text=text)
    return Summary(operation=operation, text=operation)


def _names(tables: str) -> list[str]:
    return [name.translate(_QUOTES) for name in _FIRST_NAME.findall(tables)]


def _join(words: list[str]) -> str:
    text = " ".join(words)
    if len(text) <= _LONGEST_SUMMARY:
        return text
    return text[: _LONGEST_SUMMARY + 1].rpartition(" ")[0]
