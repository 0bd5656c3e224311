"""Names databases and queries once, so that the request path only looks them up."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary, WeakSet

from opentelemetry.semconv.attributes.db_attributes import (
    DB_COLLECTION_NAME,
    DB_NAMESPACE,
    DB_OPERATION_NAME,
    DB_QUERY_SUMMARY,
    DB_QUERY_TEXT,
    DB_SYSTEM_NAME,
)
from opentelemetry.semconv.attributes.server_attributes import SERVER_ADDRESS, SERVER_PORT

from bear_otel.sources.database_summary import summarize

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.util.types import AttributeValue
    from sqlalchemy.engine import Dialect, Engine
    from sqlalchemy.engine.url import URL

# SQLAlchemy's dialect: `db.system.name` and the port that need not be said.
_SYSTEMS = {
    "cockroachdb": ("cockroachdb", 26257),
    "mariadb": ("mariadb", 3306),
    "mssql": ("microsoft.sql_server", 1433),
    "mysql": ("mysql", 3306),
    "oracle": ("oracle.db", 1521),
    "postgresql": ("postgresql", 5432),
    "redshift": ("aws.redshift", 5439),
    "sqlite": ("sqlite", None),
}
_CACHED_QUERIES = 512  # for each engine; SQLAlchemy keeps as many compiled statements
LONGEST_STATEMENT = 4096  # characters that are read; a bulk INSERT may have millions


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What every call of one statement has in common; the mappings are shared, never changed."""

    name: str
    attributes: Mapping[str, AttributeValue]
    labels: Mapping[str, AttributeValue]


class Database:
    """One engine's database, and the queries seen there.

    Args:
        dialect: The engine's dialect, after its first connection (only then is MariaDB known).
        url: The engine's address; of it only host, port and database are read.
        scrub_sql: Takes a text and `db.system.name`, returns the text without values.
    """

    __slots__ = ("__weakref__", "_scrub_sql", "labels", "name", "query", "system")

    def __init__(self, dialect: Dialect, url: URL, scrub_sql: Callable[[str, str], str]) -> None:
        mariadb = dialect.name == "mysql" and getattr(dialect, "is_mariadb", False)
        self.system, default_port = _SYSTEMS.get(
            "mariadb" if mariadb else dialect.name, ("other_sql", None)
        )
        namespace = _namespace(self.system, url.database)
        # A socket's path is no address, and shows the account's home.
        host = url.host if url.host and "/" not in url.host else None
        labels: dict[str, AttributeValue] = {DB_SYSTEM_NAME: self.system}
        if namespace:
            labels[DB_NAMESPACE] = namespace
        if host:
            labels[SERVER_ADDRESS] = host
            if url.port and url.port != default_port:
                labels[SERVER_PORT] = url.port
        self.labels: Mapping[str, AttributeValue] = labels
        self.name = f"{_address(host, url.port)}/{namespace}".strip("/") or self.system
        self._scrub_sql = scrub_sql
        self.query = lru_cache(maxsize=_CACHED_QUERIES)(self._query)

    def _query(self, statement: str, batch: bool) -> Query:
        try:
            text = self._scrub_sql(statement, self.system)
        except Exception:  # noqa: BLE001 - fails closed: without a scrubber there is no text
            text = ""
        summary = summarize(text)
        prefix = "BATCH " if batch else ""
        labels = {**self.labels}
        if summary.operation:
            labels[DB_OPERATION_NAME] = prefix + summary.operation
        attributes = {**labels}
        if summary.collection:
            attributes[DB_COLLECTION_NAME] = summary.collection
        name = self.system
        if summary.text:
            name = attributes[DB_QUERY_SUMMARY] = prefix + summary.text
        if text:
            attributes[DB_QUERY_TEXT] = text
        return Query(name=name, attributes=attributes, labels=labels)


class Databases:
    """The databases of the engines met so far, for as long as the application holds them.

    By dialect: each `create_engine()` makes one, while `Engine.execution_options()` makes engines,
    some applications one a request, that share it.
    """

    def __init__(self, scrub_sql: Callable[[str, str], str]) -> None:
        self._scrub_sql = scrub_sql
        self._databases: WeakKeyDictionary[Dialect, Database] = WeakKeyDictionary()
        self._hidden: WeakSet[Engine] = WeakSet()
        self.get = self._databases.get

    def find(self, engine: Engine) -> Database:
        """Return the database of an engine."""
        return self.get(engine.dialect) or self.meet(engine)

    def meet(self, engine: Engine) -> Database:
        """Name the database of an engine, by what is known of it now."""
        self.hide_parameters(engine)
        database = Database(engine.dialect, engine.url, self._scrub_sql)
        self._databases[engine.dialect] = database
        return database

    def hide_parameters(self, engine: Engine) -> None:
        """Keep bound values out of the engine's error texts and echo logs."""
        if not engine.hide_parameters:
            engine.hide_parameters = True
            self._hidden.add(engine)

    def forget(self) -> None:
        """Leave the engines as they were."""
        for engine in self._hidden:
            engine.hide_parameters = False
        self._hidden.clear()
        self._databases.clear()


def _address(host: str | None, port: int | None) -> str:
    return f"{host}:{port}" if host and port else host or ""


def _namespace(system: str, database: str | None) -> str:
    if system != "sqlite":
        return database or ""
    # A path shows accounts and customers; the file's name is enough to tell databases apart.
    path = (database or "").removeprefix("file:").partition("?")[0].replace("\\", "/")
    return posixpath.basename(path) or ":memory:"
