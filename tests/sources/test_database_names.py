"""A database is named by what is public of it: no user, no password, no path."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry.semconv._incubating.attributes.db_attributes import DbSystemNameValues
from sqlalchemy.engine import make_url

from bear_otel import catalogue
from bear_otel.sources.database_names import _SYSTEMS, Database


def database(url: str, *, is_mariadb: bool = False) -> Database:
    """Name a database by its address alone, so that no driver is needed."""
    parsed = make_url(url)
    dialect: Any = SimpleNamespace(name=parsed.get_backend_name(), is_mariadb=is_mariadb)
    return Database(dialect, parsed, lambda text, _: text)


@pytest.mark.parametrize(
    ("url", "labels", "pool"),
    [
        (
            "postgresql+asyncpg://alice:s3cr3t@db.internal:6432/shop?application_name=alice",
            "postgresql shop db.internal 6432",
            "db.internal:6432/shop",
        ),
        ("postgresql://db/shop", "postgresql shop db", "db/shop"),
        ("postgresql://db:5432/shop", "postgresql shop db", "db:5432/shop"),
        ("postgresql://", "postgresql", "postgresql"),
        ("postgresql:///shop?host=/home/alice/socket", "postgresql shop", "shop"),
        ("mysql://[::1]:3307/shop", "mysql shop ::1 3307", "::1:3307/shop"),
        ("mssql+pyodbc://db/shop", "microsoft.sql_server shop db", "db/shop"),
        ("unknown://db:1/shop", "other_sql shop db 1", "db:1/shop"),
        ("sqlite://", "sqlite :memory:", ":memory:"),
        ("sqlite:////home/alice/shop.db", "sqlite shop.db", "shop.db"),
        ("sqlite:///C:\\Users\\alice\\shop.db", "sqlite shop.db", "shop.db"),
        ("sqlite:///file:/home/alice/shop.db?mode=ro&uri=true", "sqlite shop.db", "shop.db"),
        ("sqlite:///file::memory:?cache=shared&uri=true", "sqlite :memory:", ":memory:"),
    ],
)
def test_an_address_is_reduced_to_names(url: str, labels: str, pool: str) -> None:
    """A port is said where it is not the usual one; a pool's name says it always."""
    named = database(url)
    assert " ".join(map(str, named.labels.values())) == labels
    assert named.name == pool


def test_mariadb_is_told_from_mysql() -> None:
    """The same driver and address serve both."""
    assert database("mysql://db/shop").system == "mysql"
    assert database("mysql://db/shop", is_mariadb=True).system == "mariadb"


def test_systems_are_those_of_the_conventions() -> None:
    """A name that the conventions do not know would be nobody's."""
    known = {value.value for value in DbSystemNameValues} | {"other_sql"}
    assert {system for system, _ in _SYSTEMS.values()} - known == set()


def test_labels_are_those_of_the_catalogue() -> None:
    """The documentation is made from the catalogue."""
    labels = {*database("mysql://db:1/shop").query("SELECT 1", False).labels, "error.type"}
    assert labels == set(catalogue.DB_CLIENT_OPERATION_DURATION.attributes)


def test_queries_share_one_answer() -> None:
    """The same mapping is handed out each time, so a call costs no copy; a batch has its own."""
    named = database("sqlite://")
    query = named.query("INSERT INTO t VALUES (?)", False)
    assert named.query("INSERT INTO t VALUES (?)", False) is query
    batch = named.query("INSERT INTO t VALUES (?)", True)
    assert (query.name, batch.name) == ("INSERT t", "BATCH INSERT t")


def test_what_is_no_sql_has_the_systems_name() -> None:
    """A name never holds a word that we do not know."""
    for batch in (False, True):
        assert database("sqlite://").query("alice@example.com", batch).name == "sqlite"
