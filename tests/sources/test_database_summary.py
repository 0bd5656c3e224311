"""A summary names what a statement does, and nothing that a person wrote."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bear_otel.sources.database_summary import Summary, summarize

EXAMPLES = [
    # text, operation, collection, summary
    ("SELECT users.id FROM users WHERE id = ?", "SELECT", "users", "SELECT users"),
    ("select * from users", "SELECT", "users", "SELECT users"),
    ("SELECT * FROM songs, artists", "SELECT", "", "SELECT songs artists"),
    ('SELECT 1 FROM songs AS s, "Big, Table" b', "SELECT", "", "SELECT songs Big, Table"),
    ("SELECT a FROM t ORDER BY x, y", "SELECT", "t", "SELECT t"),
    ("SELECT u.id FROM users u JOIN orders ON x", "SELECT", "", "SELECT users orders"),
    ("SELECT * FROM (SELECT * FROM songs) AS s", "SELECT", "songs", "SELECT SELECT songs"),
    ("(SELECT 1 FROM a) UNION (SELECT 2 FROM a)", "SELECT", "a", "SELECT a SELECT a"),
    ("SELECT 1 FROM a FOR UPDATE OF a", "SELECT", "a", "SELECT a"),
    ("SELECT pg_catalog.version()", "SELECT", "", "SELECT"),
    ("SELECT EXTRACT(year FROM created) FROM logs", "SELECT", "logs", "SELECT logs"),
    ("SELECT trim(both from name) FROM logs", "SELECT", "logs", "SELECT logs"),
    ("SELECT a IS DISTINCT FROM b FROM c", "SELECT", "c", "SELECT c"),
    ("SELECT replace(a, b) FROM t", "SELECT", "t", "SELECT t"),
    ("SELECT [a] FROM [dbo].[users]", "SELECT", "dbo.users", "SELECT dbo.users"),
    ("INSERT INTO a (x) SELECT x FROM b", "INSERT", "", "INSERT a SELECT b"),
    ("INSERT INTO t (a) VALUES (?) ON CONFLICT DO UPDATE SET a=?", "INSERT", "t", "INSERT t"),
    ("INSERT INTO t VALUES (?) ON DUPLICATE KEY UPDATE a = ?", "INSERT", "t", "INSERT t"),
    ("REPLACE INTO t VALUES (?)", "REPLACE", "t", "REPLACE t"),
    ('UPDATE ONLY "public"."users" SET a=?', "UPDATE", "public.users", "UPDATE public.users"),
    ("UPDATE a SET x=? FROM b", "UPDATE", "", "UPDATE a b"),
    ("DELETE FROM `users`", "DELETE", "users", "DELETE users"),
    ("WITH r AS (SELECT 1 FROM a) DELETE FROM b", "DELETE", "", "SELECT a DELETE b"),
    ("MERGE INTO t USING s ON a WHEN MATCHED THEN UPDATE SET a=?", "MERGE", "t", "MERGE t"),
    ("CREATE TABLE IF NOT EXISTS t (a INT)", "CREATE", "t", "CREATE TABLE t"),
    ("CREATE TABLE t (a INT REFERENCES u ON DELETE CASCADE)", "CREATE", "t", "CREATE TABLE t"),
    ("CREATE INDEX i ON t (a)", "CREATE", "", "CREATE"),
    ("PRAGMA main.table_info(t)", "PRAGMA", "", "PRAGMA"),
    ("SAVEPOINT sa_savepoint_1", "SAVEPOINT", "", "SAVEPOINT"),
    ("CREATE USER alice", "CREATE", "", "CREATE"),
    ("REVOKE ALL ON TABLE t FROM alice", "REVOKE", "t", "REVOKE TABLE t"),
    ("/* for bob */ SELECT 1 FROM a -- from carol", "SELECT", "a", "SELECT a"),
    ("SELECT 1 FROM a WHERE b = 'drop from carol'", "SELECT", "a", "SELECT a"),
    ("SELECT 1 FROM a WHERE b = 'cut from carol", "SELECT", "a", "SELECT a"),
    ("alice@example.com", "", "", ""),
    ("GET user:17", "", "", ""),
    ("", "", "", ""),
]


@pytest.mark.parametrize(
    ("sql", "operation", "collection", "text"), EXAMPLES, ids=[row[0][:40] for row in EXAMPLES]
)
def test_a_statement_is_summarised(sql: str, operation: str, collection: str, text: str) -> None:
    """Verbs and tables in their order; a collection only where there is exactly one."""
    assert summarize(sql) == Summary(operation=operation, collection=collection, text=text)


def test_a_long_summary_is_cut_between_words() -> None:
    """The conventions allow 255 characters."""
    text = summarize("SELECT 1 FROM " + ", ".join(f"table_{i}" for i in range(100))).text
    assert len(text) <= 255
    assert text.split()[-1] == "table_27"


@given(st.text(alphabet=st.sampled_from("SELECT FROM,()'\"`[]/*-.a \n")))
def test_any_text_has_a_summary(sql: str) -> None:
    """A text that is no SQL is no error."""
    assert len(summarize(sql).text) <= 255


@pytest.mark.parametrize(
    "part", ["(", "FROM ", "FROM a b, ", "a.", "TRIM(", "TRIM( FROM ", '"', "FROM IF ", "/*", "  "]
)
def test_a_hostile_text_takes_linear_time(part: str) -> None:
    """A text of the greatest length that is read takes milliseconds; exponential is for ever."""
    started = time.thread_time()
    summarize(("SELECT " + part * 4096)[:4096])
    assert time.thread_time() - started < 1
