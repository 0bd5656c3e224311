"""One call of a model as one span, however its answer arrives."""

from __future__ import annotations

import functools
import logging
import operator
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar, overload

from opentelemetry._logs import get_logger_provider
from opentelemetry.metrics import get_meter_provider
from opentelemetry.trace import get_tracer_provider
from opentelemetry.util.genai.handler import TelemetryHandler
from opentelemetry.util.genai.stream import AsyncStreamWrapper, SyncStreamWrapper
from typing_extensions import override

from bear_otel import __version__

if TYPE_CHECKING:
    from types import TracebackType

    from opentelemetry._logs import LoggerProvider
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider
    from opentelemetry.util.genai.invocation import InferenceInvocation

Chunk = TypeVar("Chunk")

_logger = logging.getLogger("bear_otel")


class InferenceBlock:
    """What `bear_otel.inference` returns: for one `with` or `async with` at a time."""

    def __init__(self, model: str, provider: str, operation: str) -> None:
        self._model = model
        self._provider = provider
        self._operation = operation
        self._call: Inference | None = None

    def __enter__(self) -> Inference:
        handler = _find_handler(get_tracer_provider(), get_meter_provider(), get_logger_provider())
        invocation = handler.inference(
            self._provider, request_model=self._model, operation_name=self._operation
        )
        self._call = Inference(invocation)
        return self._call

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        call, self._call = self._call, None
        if call is not None:
            call.leave(error)

    async def __aenter__(self) -> Inference:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, traceback)


class Inference:
    """A call of a model that is under way.

    It ends with its block, or with the last stream that outlives the block.

    Args:
        invocation: OpenTelemetry's own object for the call. It takes what is not here, such as
            `response_model_name`, `finish_reasons`, `temperature` and the messages.
    """

    def __init__(self, invocation: InferenceInvocation) -> None:
        self.invocation = invocation
        self._streams = 0
        self._left = False

    @property
    def input_tokens(self) -> int | None:
        """Tokens of the prompt, as the model counts them; no whole number is left out."""
        return self.invocation.input_tokens

    @input_tokens.setter
    def input_tokens(self, count: int | None) -> None:
        self.invocation.input_tokens = _read_count(count)

    @property
    def output_tokens(self) -> int | None:
        """Tokens of the answer, as the model counts them; no whole number is left out."""
        return self.invocation.output_tokens

    @output_tokens.setter
    def output_tokens(self, count: int | None) -> None:
        self.invocation.output_tokens = _read_count(count)

    def chunk(self) -> None:
        """Say that a chunk of the answer has arrived, where `stream` cannot see it."""
        self.invocation.record_stream_chunk()

    @overload
    def stream(self, chunks: Iterable[Chunk]) -> Iterator[Chunk]: ...

    @overload
    def stream(self, chunks: AsyncIterable[Chunk]) -> AsyncIterator[Chunk]: ...

    def stream(self, chunks: Any) -> Any:
        """Pass on what the model streams, and measure when it arrives.

        Args:
            chunks: An iterator or an asynchronous one. What is returned has its methods, too. It
                may outlive the block, as in a streamed response; the call then ends when it is
                exhausted, closed or thrown away.
        """
        self._streams += 1
        kind = _AsyncStream if isinstance(chunks, AsyncIterable) else _Stream
        return kind(chunks, self)

    def leave(self, error: BaseException | None) -> None:
        """End the block; for `InferenceBlock`."""
        self._left = True
        if error is None and self._streams:
            self.invocation.suspend()
        else:
            self._end(error)

    def end_stream(self, error: BaseException | None) -> None:
        """Count a stream as finished; for the streams."""
        self._streams -= 1
        # What breaks a stream inside of the block may be caught there: the block decides.
        if self._left and not self._streams:
            self._end(error)

    def _end(self, error: BaseException | None) -> None:
        try:
            if error is None:
                self.invocation.stop()
            else:
                self.invocation.fail(error)
        except Exception:  # noqa: BLE001 - whatever the application has put into `invocation`
            _warn("what was set on the invocation could not be recorded")


class _EndsCall:
    """What both kinds of stream tell the call."""

    _self_call: Inference

    def _process_chunk(self, chunk: Any) -> None:
        """Leave the chunk alone: it is content."""

    def _on_stream_end(self) -> None:
        self._self_call.end_stream(None)

    def _on_stream_error(self, error: BaseException) -> None:
        self._self_call.end_stream(error)


class _Stream(_EndsCall, SyncStreamWrapper[Any]):
    @override
    def __init__(self, chunks: Any, call: Inference) -> None:
        super().__init__(chunks, call.invocation)
        self._self_call = call


class _AsyncStream(_EndsCall, AsyncStreamWrapper[Any]):
    @override
    def __init__(self, chunks: Any, call: Inference) -> None:
        super().__init__(chunks, call.invocation)
        self._self_call = call


@functools.lru_cache(maxsize=1)
def _find_handler(
    tracer: TracerProvider, meter: MeterProvider, logger: LoggerProvider
) -> TelemetryHandler:
    """Return the handler of the global providers, which change once: at the start."""
    return TelemetryHandler(
        tracer_provider=tracer,
        meter_provider=meter,
        logger_provider=logger,
        instrumentation_scope_name="bear_otel.genai",
        instrumentation_scope_version=__version__,
    )


def _read_count(count: object) -> int | None:
    if count is None:
        return None
    try:
        number = operator.index(count)  # pyright: ignore[reportArgumentType] - hence the try
    except TypeError:
        number = -1
    if number < 0:
        _warn("a number of tokens that is no whole number, or is negative, is left out")
        return None
    return number


@functools.cache
def _warn(problem: str) -> None:
    """Say a problem once in the life of the process."""
    _logger.warning("inference: %s", problem)
