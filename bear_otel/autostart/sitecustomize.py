"""Runs at the start of every Python process below `bear-otel-instrument`, before the program.

Python imports the first `sitecustomize` on its path. This one takes itself off the path, starts
the one that it had hidden, if there is one, and then telemetry, if this process is the application.
Any Python may find it, also one that is too old for bear-otel: its syntax is that of all of them.
"""

import os
import sys

_TOLD = "BEAR_OTEL_MISSING_TOLD"
_HERE = os.path.dirname(os.path.abspath(__file__))


def _run_hidden_sitecustomize():
    """Import the `sitecustomize` that would have run without us."""
    ours = sys.modules.pop("sitecustomize", None)
    try:
        import sitecustomize  # noqa: F401
    except ImportError as error:
        if getattr(error, "name", "sitecustomize") != "sitecustomize":
            raise
    finally:
        # The import system looks for the module that it has been loading.
        if ours is not None:
            sys.modules.setdefault("sitecustomize", ours)


def _start_telemetry():
    try:
        from bear_otel.children import is_application
    except ImportError:
        # Once: not again in each of its children.
        if _TOLD not in os.environ:
            os.environ[_TOLD] = "true"
            sys.stderr.write(
                "bear-otel: the application runs without telemetry, since bear-otel is not "
                "installed for its Python; install it with: "
                + sys.executable
                + " -m pip install bear-otel\n"
            )
        return
    if not is_application(os.environ, sys.orig_argv, os.getpid()):
        return
    if "OTEL_PROPAGATORS" in os.environ:
        from bear_otel.propagators import check_propagators
        from bear_otel.settings import ConfigurationError

        try:
            check_propagators(os.environ)
        except ConfigurationError as error:
            told = "bear-otel: " + str(error) + "; the application runs without telemetry\n"
            sys.stderr.write(told)
            return
    from opentelemetry.instrumentation.auto_instrumentation import initialize

    initialize()


# The application's own path is as it would be without us. Children are told by the environment.
sys.path[:] = [path for path in sys.path if os.path.abspath(path) != _HERE]
try:
    _run_hidden_sitecustomize()
finally:
    _start_telemetry()
