"""Tells errors by their kind, never by their text."""

from __future__ import annotations

import logging
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from opentelemetry.semconv.attributes.db_attributes import DB_RESPONSE_STATUS_CODE
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

_log = logging.getLogger(__name__)

LockProblem = Literal["deadlock", "lock_timeout"]

# By system, because codes collide: 1205 is a deadlock for SQL Server and a lock timeout for MySQL,
# 40001 a deadlock for SQL Server and a serialization failure for PostgreSQL.
_MYSQL: dict[str, LockProblem] = {
    "1205": "lock_timeout",  # ER_LOCK_WAIT_TIMEOUT
    "1213": "deadlock",  # ER_LOCK_DEADLOCK
    "3572": "lock_timeout",  # ER_LOCK_NOWAIT
}
_LOCK_PROBLEMS: dict[str, dict[str, LockProblem]] = {
    "postgresql": {"40P01": "deadlock", "55P03": "lock_timeout"},
    "mysql": _MYSQL,
    "mariadb": _MYSQL,
    "microsoft.sql_server": {
        "1205": "deadlock",
        "40001": "deadlock",  # the same through ODBC, which gives the SQLSTATE
        "1222": "lock_timeout",
    },
    "oracle.db": {"60": "deadlock", "54": "lock_timeout", "30006": "lock_timeout"},
    # SQLite has no lock manager: a writer waits for its `timeout`, then gives up.
    "sqlite": {
        "SQLITE_BUSY": "lock_timeout",
        "SQLITE_BUSY_SNAPSHOT": "lock_timeout",
        "SQLITE_LOCKED": "lock_timeout",
        "SQLITE_LOCKED_SHAREDCACHE": "lock_timeout",
    },
}
_SQLSTATE = re.compile(r"(?=.*\d)[0-9A-Z]{5}")
_NAMED_CODE = re.compile(r"[0-9A-Z_]{1,64}")


def lock_problem(system: str, code: str | None) -> LockProblem | None:
    """Tell whether an error code speaks of locks.

    Args:
        system: `db.system.name`.
        code: What `response_status_code` returned.
    """
    return _LOCK_PROBLEMS.get(system, {}).get(code or "")


def response_status_code(error: BaseException) -> str | None:
    """Return the database's own code of a driver's exception, without any of its text.

    Args:
        error: An `Error` (PEP 249) of psycopg, psycopg2, asyncpg, pg8000, sqlite3, PyMySQL,
            mysqlclient, MySQL Connector, pyodbc, pymssql or oracledb.

    Returns:
        SQLSTATE for PostgreSQL, the result code by name for SQLite, else the vendor's number; None
        where the error did not come from the database.
    """
    first = error.args[0] if error.args else None
    if isinstance(first, dict):  # pg8000
        first = first.get("C")
    first = getattr(first, "code", first)  # oracledb
    # MySQL's drivers have SQLSTATEs, too, but only its numbers tell a deadlock from the rest.
    for number in (getattr(error, "errno", None), first):
        if isinstance(number, int):
            return str(number)
    for attribute in ("sqlstate", "pgcode", "sqlite_errorname"):
        name = getattr(error, attribute, None)
        if isinstance(name, str) and _NAMED_CODE.fullmatch(name):
            return name
    # pyodbc and pg8000; for others it is a sentence, with values in it.
    return first if isinstance(first, str) and _SQLSTATE.fullmatch(first) else None


def error_attributes(error: BaseException, dialect: Dialect) -> dict[str, str]:
    """Describe an error that a database call ended with.

    Args:
        error: What was raised; only a driver's own exception is asked for a code.
        dialect: The engine's dialect, which knows the driver.

    Returns:
        `error.type`, which is the database's code as the conventions ask, else the class of the
        exception; and `db.response.status_code` if there is a code.
    """
    driver_error = getattr(dialect.dbapi, "Error", ())
    code = response_status_code(error) if isinstance(error, driver_error) else None
    if code is None:
        return {ERROR_TYPE: type(error).__qualname__}
    return {ERROR_TYPE: code, DB_RESPONSE_STATUS_CODE: code}


@lru_cache(maxsize=32)
def say_failure(error: type[Exception]) -> None:
    """Say once for each type that we failed, and could not record a database call."""
    _log.warning("Database calls are not fully recorded: %s in bear-otel", error.__qualname__)
