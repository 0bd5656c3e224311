"""A real Bugsink, which speaks Sentry's protocol, on a free port and gone afterwards."""

from __future__ import annotations

import json
import signal
import socket
import sqlite3
import subprocess
import tempfile
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.ports import free_port
from tests.postgres import running_server
from tests.virtualenvs import python_with

if TYPE_CHECKING:
    from collections.abc import Iterator

_SETTINGS = """
from bugsink.settings.default import *

SECRET_KEY = "of no use outside of this test, and long enough for the check of its length"
for name in DATABASES:
    DATABASES[name]["NAME"] = "{home}/" + name + ".sqlite3"
SNAPPEA = {{"TASK_ALWAYS_EAGER": True}}  # no second process for the work
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
BUGSINK = {{
    "BASE_URL": "http://127.0.0.1:{port}",
    "SINGLE_USER": True,
    "PHONEHOME": False,
    "KEEP_ENVELOPES": 1000,
    "INGEST_STORE_BASE_DIR": "{home}/ingestion",
}}
"""

_CREATE_PROJECT = (
    "from projects.models import Project\n"
    "project = Project.objects.create(name='shop')\n"
    "print(f'{project.sentry_key.hex}@{project.pk}')"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bugsink:
    """A running server with one project."""

    dsn: str
    home: Path

    def events(self) -> list[dict[str, Any]]:
        """Return the events that it has stored, as they were sent, in the order of arrival."""
        with closing(sqlite3.connect(self.home / "default.sqlite3")) as database:
            query = "SELECT data FROM events_event ORDER BY digest_order"
            return [json.loads(data) for (data,) in database.execute(query)]

    def issues(self) -> list[tuple[str, str]]:
        """Return type and text of each issue."""
        with closing(sqlite3.connect(self.home / "default.sqlite3")) as database:
            return list(
                database.execute("SELECT calculated_type, calculated_value FROM issues_issue")
            )

    def stored(self) -> bytes:
        """Return every byte that it keeps: its database with the raw envelopes, and its files."""
        return b"\n".join(path.read_bytes() for path in self.home.rglob("*") if path.is_file())


@contextmanager
def running_bugsink() -> Iterator[Bugsink]:
    """Start a server from PyPI, in a virtual environment of its own, with an empty database."""
    binaries = python_with("bugsink==2.6.2").parent
    with tempfile.TemporaryDirectory(prefix="bear-bugsink-") as directory:
        home, port = Path(directory), free_port()
        (home / "bugsink_conf.py").write_text(_SETTINGS.format(home=home, port=port))
        manage = [binaries / "bugsink-manage"]
        for database in ("default", "snappea"):
            migrate = [*manage, "migrate", "--verbosity=0", f"--database={database}"]
            subprocess.run(migrate, cwd=home, check=True)
        create = [*manage, "shell", "--verbosity=0", "--command", _CREATE_PROJECT]
        created = subprocess.run(create, cwd=home, check=True, capture_output=True, text=True)
        key, _, project = created.stdout.strip().partition("@")
        server = [binaries / "gunicorn", "bugsink.wsgi", "--bind", f"127.0.0.1:{port}"]
        options = ["--threads", "4", "--graceful-timeout", "1", "--no-control-socket"]
        with running_server(
            [*server, *options],
            home,
            {},
            is_ready=lambda: _listens(port),
            stop=signal.SIGINT,
        ):
            yield Bugsink(dsn=f"http://{key}@127.0.0.1:{port}/{project}", home=home)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
