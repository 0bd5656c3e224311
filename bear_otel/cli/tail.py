"""`bear-otel tail`: receive OTLP on this machine and print what arrives, readable at once."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, TextIO

from bear_otel.cli.otlp_json import OtlpRequest, dump_json, read_saved
from bear_otel.cli.receiver import Receiver, explain_refusal
from bear_otel.cli.render.stream import JsonLines, Picture, Printer, create_style

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_STOP = None
"""What ends the stream of events."""

_SILENCE = (
    "Nothing arrived. A service must send to the address above, over HTTP: "
    "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf."
)
Events = SimpleQueue[OtlpRequest | str | None]


def main(argv: Sequence[str]) -> int:
    """Run the command.

    Args:
        argv: its arguments, without its name.

    Returns:
        The exit code: 0 also when a signal ended it.
    """
    options = _parser().parse_args(argv)
    style = create_style(sys.stdout, color=False if options.no_color else None)
    printer = JsonLines(_print) if options.json else Picture(style, _print, quiet_s=options.wait)
    try:
        if options.replay:
            _replay(options.replay, printer)
        else:
            _listen(options, printer)
    except BrokenPipeError:
        # The reader (`| head`) has enough. Python must not flush into the closed pipe at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError) as error:
        print(f"bear-otel tail: {error}", file=sys.stderr)
        return 1
    return 0


def _print(line: str) -> None:
    encoding = sys.stdout.encoding or "ascii"
    print(line.encode(encoding, "replace").decode(encoding), flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bear-otel tail",
        description="Receive OTLP over HTTP on this machine and print what arrives.",
        epilog="Ctrl-C ends it.",
    )
    parser.add_argument("--port", type=int, default=4318, help="port to listen on (4318)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--save", metavar="FILE", help="also append OTLP JSON lines to a file")
    parser.add_argument("--replay", metavar="FILE", help="print a saved file instead of listening")
    parser.add_argument("--no-color", action="store_true", help="no colours on a terminal either")
    parser.add_argument(
        "--for", type=float, metavar="SECONDS", dest="seconds", help="end after so many seconds"
    )
    parser.add_argument(
        "--wait",
        type=float,
        default=1.0,
        metavar="SECONDS",
        help="quiet time after which a trace is taken for whole (1)",
    )
    return parser


def _listen(options: argparse.Namespace, printer: Printer) -> None:
    tell_once = lru_cache(maxsize=256)(printer.tell)
    requests = 0
    with ExitStack() as stack:
        save = stack.enter_context(_open_private(options.save)) if options.save else None
        events: Events = SimpleQueue()
        stack.enter_context(_stop_on_signals(events))
        for event in _receive(events, options):
            if isinstance(event, str):
                tell_once(f"refused with {event}")
            elif event is not None:
                requests += 1
                if save:
                    save.write(dump_json(event) + "\n")
                    save.flush()
                printer.feed(event)
            printer.draw_due()
        printer.draw_due(everything=True)
    if not requests:
        print(_SILENCE, file=sys.stderr)


def _receive(events: Events, options: argparse.Namespace) -> Iterator[OtlpRequest | str | None]:
    """Yield each event, and None several times a second in between, until it is time to stop."""
    end = float("inf") if options.seconds is None else time.monotonic() + options.seconds
    with _open_receiver(options, events) as receiver:
        print(_welcome(receiver.endpoint), file=sys.stderr, flush=True)
        while (left := end - time.monotonic()) > 0:
            try:
                event = events.get(timeout=min(left, 0.2))
            except Empty:
                yield None
                continue
            if event is _STOP:
                break
            yield event
    while not events.empty():  # what was answered while the receiver closed
        yield events.get()


def _replay(path: str, printer: Printer) -> None:
    for request in read_saved(path):
        printer.feed(request)
    printer.draw_due(everything=True)


@contextmanager
def _open_receiver(options: argparse.Namespace, events: Events) -> Iterator[Receiver]:
    receiver = Receiver(
        options.host,
        options.port,
        on_traces=events.put,
        on_metrics=events.put,
        on_logs=events.put,
        on_refused=events.put,
    )
    with ExitStack() as stack:
        try:
            stack.enter_context(receiver)
        except (OSError, OverflowError) as error:
            message = explain_refusal(error, "bear-otel tail", options.host, options.port)
            raise OSError(message) from error
        yield receiver


def _open_private(path: str) -> TextIO:
    # Telemetry is for the one who asked for it.
    def opener(name: str, flags: int) -> int:
        return os.open(name, flags, 0o600)

    return open(path, "a", encoding="utf-8", opener=opener)


@contextmanager
def _stop_on_signals(events: Events) -> Iterator[None]:
    # `SimpleQueue.put` is made to be called from a signal handler.
    stops = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: events.put(_STOP)) for number in stops]
    try:
        yield
    finally:
        for number, handler in zip(stops, before, strict=True):
            signal.signal(number, handler)


def _welcome(endpoint: str) -> str:
    return (
        f"Listening for OTLP on {endpoint} (Ctrl-C ends). In another terminal:\n"
        f"  OTEL_EXPORTER_OTLP_ENDPOINT={endpoint} bear-otel-instrument python app.py"
    )
