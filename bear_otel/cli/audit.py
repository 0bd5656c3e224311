"""Call every route of a FastAPI service with canaries, and see whether one comes out."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import io
import os
import sys
from typing import TYPE_CHECKING, Any

from bear_otel.capture import Captured, capture
from bear_otel.cli.audit_requests import ALL_CANARIES, Request, create_requests

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator

_LOCAL_HOSTS = frozenset({"", "localhost", "127.0.0.1", "::1"})


class _RemoteDatabaseError(Exception):
    """The service wants to use a database that is not on this host."""


def audit(options: argparse.Namespace) -> int:
    """Run the audit.

    Returns:
        0 if nothing came out, 1 if something did, 2 if the service could not be audited.
    """
    with capture() as captured:
        if not options.remote_databases:
            _refuse_remote_databases()
        try:
            app = _load(options.app)
            requests = create_requests(app.openapi(), all_methods=options.all_methods)
        except Exception as error:  # noqa: BLE001 - the service's own code
            print(f"cannot load {options.app}: {type(error).__name__}: {error}", file=sys.stderr)
            return 2
        try:
            # What the service prints itself is not what one wants to read here.
            with (
                contextlib.redirect_stderr(io.StringIO()),
                contextlib.redirect_stdout(io.StringIO()),
            ):
                asyncio.run(_call_all(app, requests))
        except _RemoteDatabaseError as error:
            print(f"refused: {error}; allow it with --remote-databases", file=sys.stderr)
            return 2
        except RuntimeError as error:
            print(error, file=sys.stderr)
            return 2
        return _judge(captured, requests)


def _judge(captured: Captured, requests: list[Request]) -> int:
    """Print what was stopped and what came out."""
    seen = f"{len(captured.spans)} spans, {len(captured.logs)} log records"
    print(f"{len(requests)} requests, {seen}")
    # Before the counts: a record is scrubbed when somebody first looks at it.
    leaks = {kind: captured.find(value) for kind, value in ALL_CANARIES.items()}
    for (kind, door), count in sorted(captured.scrubber.counts.items()):
        print(f"  stopped  {kind:<14} {door:<26} {count}")
    for kind, places in leaks.items():
        for place in sorted(set(places)):
            print(f"  LEAKED   {kind:<14} {place}")
    if not captured.spans:
        print("no request was measured, so this proves nothing", file=sys.stderr)
        return 2
    if any(leaks.values()):
        return 1
    print("nothing came out")
    return 0


def _load(name: str) -> Any:
    module, separator, attribute = name.partition(":")
    if not separator:
        message = "say it as module:app"
        raise ValueError(message)
    sys.path.insert(0, os.getcwd())
    return getattr(importlib.import_module(module), attribute)


async def _call_all(app: Any, requests: list[Request]) -> None:
    async with _lifespan(app):
        for request in requests:
            # A route may fail on a canary; what it tells of that is what we are here for.
            with contextlib.suppress(Exception):
                await _call(app, request)
            if _refused:
                raise _RemoteDatabaseError(_refused[0])


async def _call(app: Any, request: Request) -> None:
    """Send one request through the ASGI interface."""
    messages = [{"type": "http.request", "body": request.body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        return messages.pop() if messages else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        pass

    await app(request.create_scope(), receive, send)


@contextlib.asynccontextmanager
async def _lifespan(app: Any) -> AsyncIterator[None]:
    """Run the start-up and shut-down code of the service."""
    to_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    from_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
    task = asyncio.create_task(app(scope, to_app.get, from_app.put))
    await to_app.put({"type": "lifespan.startup"})
    started = await from_app.get()
    if started["type"].endswith("failed"):
        await asyncio.wait([task])
        task.exception()  # so that asyncio does not print it
        if _refused:
            raise _RemoteDatabaseError(_refused[0])
        message = f"the service does not start: {started.get('message', '').strip()[-200:]}"
        raise RuntimeError(message)
    yield
    await to_app.put({"type": "lifespan.shutdown"})
    await from_app.get()
    await task


# Hosts that were refused in this process; the command runs once.
_refused: list[str] = []


def _refuse_remote_databases() -> None:
    """Keep SQLAlchemy from connecting to another host: the audit writes canaries."""
    try:
        from sqlalchemy import event
        from sqlalchemy.engine import Engine
    except ImportError:
        return

    def check(dialect: Any, _record: Any, _args: Any, parameters: dict[str, Any]) -> None:
        host = str(parameters.get("host") or parameters.get("server") or "")
        if host not in _LOCAL_HOSTS and not host.startswith("/"):
            _refused.append(f"the service connects to {dialect.name} on {host}")
            raise _RemoteDatabaseError(_refused[-1])

    event.listen(Engine, "do_connect", check)
