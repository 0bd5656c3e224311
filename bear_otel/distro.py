"""OpenTelemetry's entry points: how `opentelemetry-instrument` and our launcher find us."""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING, Any

from opentelemetry.instrumentation.distro import BaseDistro
from typing_extensions import override

from bear_otel.children import is_application, is_worker
from bear_otel.instrumentors import blank_more_parameters, leave_out_messages
from bear_otel.settings import ConfigurationError

# All that is heavy is imported where it is used: a child process that is left alone must not pay
# for it.
if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.metadata import EntryPoint

    from bear_otel.running import Running

NAME = "bear_otel"

# Stable semantic conventions, for the contrib instrumentations that still default to old names.
_DEFAULTS = {"OTEL_SEMCONV_STABILITY_OPT_IN": "http,database"}

# What our sources replace, by the name of the contrib instrumentor.
_REPLACED = {"system_metrics": "process"}

_WINNER_HELP = f"set OTEL_PYTHON_DISTRO={NAME} and OTEL_PYTHON_CONFIGURATOR={NAME}"

logger = logging.getLogger("bear_otel")


class _State:
    """What has happened in this process so far; there is one telemetry in a process."""

    running: Running | None = None
    # Why there is none, if that has been said or needs no saying.
    left_alone: bool = False
    instrumentors: dict[str, str] = {}  # noqa: RUF012 - module state, not a class default
    # What has not been loaded on purpose, and why; only debug mode tells.
    skipped: dict[str, str] = {}  # noqa: RUF012 - the same


class BearDistro(BaseDistro):
    """Defaults and the choice of instrumentors."""

    def _configure(self, **kwargs: Any) -> None:  # noqa: ARG002 - OpenTelemetry's signature
        _State.left_alone = not is_application(os.environ, sys.orig_argv, os.getpid())
        if not _State.left_alone:
            for name, value in _DEFAULTS.items():
                os.environ.setdefault(name, value)

    @override
    def load_instrumentor(self, entry_point: EntryPoint, **kwargs: Any) -> None:
        if _State.running is None:
            return
        if _is_replaced(entry_point.name, _State.running):
            _State.skipped[entry_point.name] = "a source measures it"
            return
        if official := _find_official(entry_point):
            name = f"{entry_point.name} ({entry_point.value.partition(':')[0]})"
            _State.instrumentors[name] = f"{official} counts the same calls"
            return
        try:
            super().load_instrumentor(entry_point, **kwargs)
        except ModuleNotFoundError:
            _State.skipped[entry_point.name] = "the library is not there"  # which is no news
            return
        except Exception as error:  # noqa: BLE001 - foreign code; the others must still be loaded
            problem = f"{type(error).__name__}: {error}"
        else:
            problem = ""
            blank_more_parameters()
        _State.instrumentors[entry_point.name] = problem


class BearConfigurator:
    """Starts our providers where OpenTelemetry would start its own."""

    def configure(self, **kwargs: Any) -> None:  # noqa: ARG002 - OpenTelemetry's signature
        """Start telemetry, or say why not; never raises into the application."""
        if _State.left_alone:
            return
        try:
            _State.running = _start(None)
        except (ConfigurationError, RuntimeError) as error:
            _State.left_alone = True
            _say(f"bear-otel: {error}; the application runs without telemetry")
        except Exception as error:  # noqa: BLE001 - whatever it is, the application must run
            _State.left_alone = True
            _say(
                f"bear-otel: cannot start ({type(error).__name__}: {error}); "
                "the application runs without telemetry"
            )


def guard() -> None:
    """Say it when another distribution has won the entry points, and telemetry is not private.

    OpenTelemetry calls this whoever has won, after the configurators and before the instrumentors.
    """
    if _State.running is not None or _State.left_alone:
        return
    from bear_otel.configuration import load_configuration
    from bear_otel.pipeline import seams

    foreign = seams.find_foreign_provider()
    if foreign is None:
        return
    _say(
        f"bear-otel: ANOTHER DISTRIBUTION HAS CONFIGURED OPENTELEMETRY ({foreign}): "
        f"telemetry leaves unscrubbed; {_WINNER_HELP}, or uninstall the other one"
    )
    if load_configuration(environ=os.environ).settings.lifecycle.required_enabled:
        seams.shut_down_foreign_providers()
        _say("bear-otel: BEAR_OTEL_REQUIRED_ENABLED is set, so all telemetry has been stopped")


def announce() -> None:
    """Say what has been started; OpenTelemetry calls this after the instrumentors."""
    from bear_otel import banner
    from bear_otel.pipeline.debugging import tell_start

    started = _State.running
    if started is None:
        return
    tell_start(
        sources=started.sources,
        instrumentors=_State.instrumentors,
        problems=started.problems,
        skipped=_State.skipped,
    )
    if not started.configuration.settings.lifecycle.banner_enabled:
        return
    # Each of many workers would say the same again.
    if is_worker(os.environ, os.getpid()):
        return
    _say("\n".join(banner.describe_start(started, _State.instrumentors, os.environ)))


def start(custom_config: Mapping[str, Any] | None = None) -> Running | None:
    """Start telemetry from code, as the launcher would.

    A second call returns what runs already. Applications made before the call are not measured:
    call it first, or use `bear-otel-instrument`.

    Args:
        custom_config: Settings with the names of `bear_otel.settings.Settings`, nested; they win
            over environment and file.

    Returns:
        The running telemetry, or None when it is switched off (`enabled`, `OTEL_SDK_DISABLED`).

    Raises:
        ConfigurationError: A setting that cannot be used.
        RuntimeError: Somebody else has set an OpenTelemetry provider.
        CanaryError: The privacy check failed; nothing is sent.
    """
    if _State.running is not None:
        if custom_config:
            logger.warning("bear_otel.start() again: it runs already, the new settings are ignored")
        return _State.running
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    _State.running = _start(custom_config)
    if _State.running is not None:
        from bear_otel.pipeline import seams

        seams.load_instrumentors(BearDistro())
    return _State.running


def _start(custom_config: Mapping[str, Any] | None) -> Running | None:
    from bear_otel import running
    from bear_otel.configuration import load_configuration
    from bear_otel.environment import get_our_part, is_disabled, load_file

    file_config = load_file(os.environ)
    configuration = load_configuration(
        code=custom_config,
        environ=os.environ,
        file=get_our_part(file_config),
    )
    if not configuration.settings.enabled or is_disabled(os.environ):
        _State.left_alone = True
        _say("bear-otel: switched off; the application runs without telemetry")
        return None
    started = running.start(configuration, os.environ, file_config)
    leave_out_messages()
    return started


def _is_replaced(name: str, started: Running) -> bool:
    """Whether one of our sources measures what this instrumentor would."""
    return name in started.sources or _REPLACED.get(name) in started.sources


def _find_official(entry_point: EntryPoint) -> str | None:
    """Return OpenTelemetry's package for a GenAI library, if this is another one for the same.

    Several publish instrumentors under the name of the library. Each would count every call.
    """
    from importlib.metadata import PackageNotFoundError, version

    official = f"opentelemetry-instrumentation-genai-{entry_point.name}"
    if entry_point.value.startswith("opentelemetry.instrumentation.genai."):
        return None
    try:
        version(official)
    except PackageNotFoundError:
        return None
    return official


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
