"""Errors are told by codes, which mean different things to different databases."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from types import SimpleNamespace
from typing import Any

import pytest

from bear_otel.sources.database_errors import error_attributes, lock_problem, response_status_code


def raised(*arguments: Any, **attributes: Any) -> Exception:
    """Make an exception as a driver does."""
    error = Exception(*arguments)
    for name, value in attributes.items():
        setattr(error, name, value)
    return error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (raised("text", sqlstate="23505"), "23505"),  # psycopg, asyncpg
        (raised("text", pgcode="40P01"), "40P01"),  # psycopg2
        (raised({"S": "ERROR", "C": "55P03", "M": "text"}), "55P03"),  # pg8000
        (raised(1213, "Deadlock found"), "1213"),  # mysqlclient
        (raised(1213, "Deadlock found", sqlstate="40001"), "1213"),  # PyMySQL
        (raised("text", errno=1213, sqlstate="40001"), "1213"),  # MySQL Connector
        (raised("40001", "[40001] deadlock victim"), "40001"),  # pyodbc
        (raised(1205, b"deadlock victim"), "1205"),  # pymssql
        (raised(SimpleNamespace(code=60, message="ORA-00060")), "60"),  # oracledb
        (raised("text", sqlstate=None), None),
        (raised("ALICE"), None),
        (raised("text", sqlstate="Alice Smith"), None),
        (raised(), None),
    ],
)
def test_each_driver_has_its_own_place_for_the_code(error: Exception, code: str | None) -> None:
    """Only a code is taken, never a sentence."""
    assert response_status_code(error) == code


def test_sqlite_names_its_codes() -> None:
    """SQLite's extended result codes are readable by name."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE t (a UNIQUE)")
        connection.execute("INSERT INTO t VALUES (1)")
        with pytest.raises(sqlite3.IntegrityError) as caught:
            connection.execute("INSERT INTO t VALUES (1)")
    assert response_status_code(caught.value) == "SQLITE_CONSTRAINT_UNIQUE"


@pytest.mark.parametrize(
    ("system", "code", "problem"),
    [
        ("postgresql", "40P01", "deadlock"),
        ("postgresql", "55P03", "lock_timeout"),
        ("postgresql", "40001", None),
        ("mysql", "1213", "deadlock"),
        ("mariadb", "1205", "lock_timeout"),
        ("microsoft.sql_server", "1205", "deadlock"),
        ("microsoft.sql_server", "40001", "deadlock"),
        ("oracle.db", "60", "deadlock"),
        ("sqlite", "SQLITE_BUSY", "lock_timeout"),
        ("sqlite", "SQLITE_CONSTRAINT_UNIQUE", None),
        ("other_sql", "1213", None),
        ("postgresql", None, None),
    ],
)
def test_a_code_means_what_its_database_means(
    system: str, code: str | None, problem: str | None
) -> None:
    """The same number is a deadlock here and something else there."""
    assert lock_problem(system, code) == problem


def test_only_a_drivers_own_error_is_asked_for_a_code() -> None:
    """What the application raised may hold anything in the place of a code."""
    dialect: Any = SimpleNamespace(dbapi=sqlite3)
    assert error_attributes(raised("12345"), dialect) == {"error.type": "Exception"}
    assert error_attributes(ConnectionRefusedError(111, "text"), dialect) == {
        "error.type": "ConnectionRefusedError"
    }
