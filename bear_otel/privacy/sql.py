"""Replace the literals of SQL by `?` and keep its structure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from bear_otel.privacy.findings import Finding
from bear_otel.privacy.source import word_set

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bear_otel.privacy.source import Source

# Dialects in which a backslash escapes a quote, and those in which "x" is a text, not a name.
_BACKSLASH: Final = word_set(
    "mysql mariadb bigquery gcp.bigquery clickhouse hive spark databricks snowflake tri"
    "no.mysql doris tidb"
    " couchbase neo4j"
)
_DOUBLE_TEXT: Final = word_set(
    "mysql mariadb bigquery gcp.bigquery hive spark databricks couchbase neo4j tidb doris influxdb"
)
_KNOWN: Final = _BACKSLASH | word_set(
    "postgresql postgres sqlite mssql microsoft.sql_server oracle oracle.db db2 ibm.db2"
    " cockroachdb redshift"
    " aws.redshift cassandra trino presto vertica sap.hana hanadb teradata firebirdsql "
    "h2database hsqldb"
    " derby duckdb other_sql"
)
_STRINGS: Final = {
    "standard": r"(?:[nN]|[uU]&|[xXbB]|_utf8)?'(?:[^']|'')*'?",
    "backslash": r"(?:[nN]|[xXbB]|_utf8\w*\s?)?'(?:[^'\\]|''|\\.)*'?",
}
_LEXER: Final = r"""
    (?P<comment>--[^\n]*|/\*.*?(?:\*/|\Z)|(?<![\w?&;\]])\#\s[^\n]*)
  | (?P<escaped>[eE]'(?:[^'\\]|''|\\.)*'?)
  | (?P<oracle>[qQ]'(?:\[.*?(?:\]'|\Z)|\{.*?(?:\}'|\Z)|\(.*?(?:\)'|\Z)|<.*?(?:>'|\Z)
    |(?P<mark>[^\s\w]).*?(?:(?P=mark)'|\Z)))
  | (?P<string>STRING)
  | (?P<double>"(?:[^"\\]|""|\\.)*"?)
  | (?P<name>`[^`]*`|\[[A-Za-z_][\w .$-]*\])
  | (?P<dollar>\$(?P<tag>[A-Za-z_]\w*)?\$.*?(?:\$(?P=tag)\$|\Z)|\$\$.*?(?:\$\$|\Z))
  | (?P<parameter>\$\d+|:\w+|%\(\w+\)s|%s|@\w+|\?\d*|\{\w*\}|::\w+)
  | (?P<number>0[xX][0-9A-Fa-f]+|(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w]))
  | (?P<word>[^\W\d][\w$\#]*)
  | (?P<path>->>?|\#>>?)
  | (?P<operator><=>|[<>!=~*]{1,3}|\|\||[+/%^|&-])
  | (?P<sign>[(),.;\[\]])
"""
_TOKENS: Final = {
    name: re.compile(_LEXER.replace("STRING", string), re.DOTALL | re.VERBOSE)
    for name, string in _STRINGS.items()
}
# Numbers behind these words are structure: how many rows, which column, how wide.
_STRUCTURE: Final = word_set(
    "limit offset top first next by varchar nvarchar char nchar varchar2 character vary"
    "ing numeric decimal number"
    " float bit varbit varbinary binary timestamp time datetime2 interval precision lev"
    "el fetch timestamptz count exists"
)
_VALUE_WORDS: Final = word_set(
    "like ilike rlike regexp similar between and or not in values then else when select"
    " by is returning set"
    " escape case any all match against identified password default as interval date ti"
    "mestamp time to with"
)
_START = re.compile(
    r"\b(?:SELECT\b(?:\s+['\w*(`\[\"]|[(*])|INSERT\s+(?:OR\s+\w+\s+|IGNORE\s+)?INTO\b"
    r"|UPDATE\s+[\w.\"`\[\]]+\s+(?:AS\s+\w+\s+)?SET\b"
    r"|DELETE\s+FROM\b|MERGE\s+INTO\b|REPLACE\s+INTO\b|UPSERT\s+INTO\b"
    r"|COPY\s+\w+\s+FROM\b|WITH\s+(?:RECURSIVE\s+)?\w+\s+AS\s*\("
    r"|(?:CREATE|ALTER)\s+(?:USER|ROLE|LOGIN)\b|GRANT\s.{1,80}\sTO\b|SET\s+PASSWORD\b"
    r"|CALL\s+[\w.]+\s*\(|EXEC(?:UTE)?\s+(?:dbo\.)?\w+\s"
    r"|WHERE\s+[\w.\"`\[\]()]+\s*(?:=|<|>|!|LIKE|ILIKE|IN|BETWEEN)|VALUES\s*\("
    r"|PRAGMA\s+key|ATTACH\s+DATABASE)",
    re.IGNORECASE,
)
_END = re.compile(
    r"\n\s*\n|;\s+(?=[A-Za-z]+[ :=])|\]\n|\n(?=\[)|\n(?=(?:DETAIL|HINT|LINE|CONTEXT|\s+\^))"
)
_AMBIGUOUS = re.compile(r"(?<![eE\w'])'(?:[^'\\]|'')*\\'")
_QUESTION: Final = "?"
SQL_WORDS: Final = word_set("""
    select insert update delete merge replace upsert copy with create alter grant set call exec
    execute where values pragma attach
    """)


def find_sql(source: Source) -> Iterator[Finding]:
    """Yield the literals of the SQL statements that stand in a text."""
    text = source.text
    position = 0
    for place in sorted(source.places(SQL_WORDS)):
        if place < position:
            continue
        found = _START.match(text, place)
        if found is not None:
            position = _statement_end(text, place, found.end())
            yield from find_literals(text, place, position, embedded=True)


def _statement_end(text: str, start: int, searched: int) -> int:
    """Return where a statement inside a text ends."""
    before = text[start - 1 : start]
    if before in ('"', "'", "`"):
        closing = re.compile(
            rf"(?<![\\{before}]){before}(?!{before})(?=\s*(?:[,)\]}};]|\Z|\s))"
        ).search(text, searched)
        if before != "'" and closing is not None:
            return closing.start()
        if closing is not None and text.count("'", searched, closing.start()) % 2 == 0:
            return closing.start()
    found = _END.search(text, searched)
    return found.start() if found else len(text)


def find_literals(
    text: str, start: int = 0, end: int | None = None, *, dialect: str = "", embedded: bool = False
) -> Iterator[Finding]:
    """Yield the literals of one statement.

    Args:
        text: The text that holds the statement.
        start: Offset of the statement.
        end: Offset behind it; the end of the text when left out.
        dialect: `db.system.name`; decides what a backslash and a double quote mean.
        embedded: Whether other text may follow, so that only what stands where a value may stand
            counts.
    """
    end = len(text) if end is None else end
    dialect = dialect.lower()
    backslash = dialect in _BACKSLASH
    if dialect not in _KNOWN and "\\'" in text[start:end]:
        ambiguous = _AMBIGUOUS.search(text, start, end)
        if ambiguous is not None:  # nobody can say where this text ends: fail closed
            yield Finding(ambiguous.start(), end, "sql", "SQL literal: ambiguous quotes", _QUESTION)
            end = ambiguous.start()
    previous = ""
    structure = False
    for token in _TOKENS["backslash" if backslash else "standard"].finditer(text, start, end):
        kind = token.lastgroup or ""
        value = token.group()
        if kind == "comment":
            yield from _comment(token)
            continue
        if kind == "word":
            previous = value.lower()
            structure = previous in _STRUCTURE
            continue
        if structure and (kind == "number" or value in "(),"):
            continue
        structure = False
        if kind == "double":
            literal = _is_text(text, token, previous, dialect)
        elif kind == "number":
            literal = (not embedded or previous in _NUMBER_OPENERS) and not (
                previous == "select" and value in "01"
            )
        else:
            literal = kind in ("string", "escaped", "oracle", "dollar") and (
                not embedded or previous in _OPENERS
            )
        if literal and value.strip("'\"$") not in ("", "?"):
            yield Finding(token.start(), token.end(), "sql", "SQL literal", _QUESTION)
        previous = value if kind in ("operator", "sign") else "literal" if literal else kind


_OPENERS: Final = _VALUE_WORDS | word_set(
    "( , = < > <= >= <> != <=> ~ ~* !~ || + - literal [ * / % against using concat cast"
)
_NUMBER_OPENERS: Final = word_set(
    "= < > <= >= <> != <=> ( , - + * / % ~ like ilike in between and then else values when || any"
)


def _is_text(text: str, token: re.Match[str], previous: str, dialect: str) -> bool:
    """Say whether "x" is a text: by the dialect, or by its place where that is not known."""
    if dialect in _DOUBLE_TEXT:
        return True
    value = token.group()
    if dialect in _KNOWN and dialect != "sqlite":
        return len(value) < 2 or value[-1] != '"'
    if text[token.end() : token.end() + 1] == "." or previous == ".":
        return False
    if previous in (
        "=",
        "<",
        ">",
        "<>",
        "!=",
        "like",
        "ilike",
        "values",
        "in",
        "between",
        "regexp",
    ):
        return True
    return re.search(r"[^\w\" .$-]", value) is not None or value[-1] != '"'


def _comment(token: re.Match[str]) -> Iterator[Finding]:
    for found in re.finditer(r"'[^']*'?|\"[^\"]*\"?", token.group()):
        if found.group().strip("'\"?"):
            start = token.start() + found.start()
            yield Finding(start, token.start() + found.end(), "sql", "SQL comment", _QUESTION)
