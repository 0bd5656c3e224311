"""Runs at the start of every Python process below `bear-otel-instrument`, before the program.

Python imports the first `sitecustomize` on its path. This one takes itself off the path, starts
the one that it had hidden, if there is one, and then telemetry, if this process is the application.
"""

import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))


def _run_hidden_sitecustomize():
    """Import the `sitecustomize` that would have run without us."""
    ours = sys.modules.pop("sitecustomize", None)
    try:
        import sitecustomize  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name != "sitecustomize":
            raise
    finally:
        # The import system looks for the module that it has been loading.
        if ours is not None:
            sys.modules.setdefault("sitecustomize", ours)


def _start_telemetry():
    try:
        from bear_otel.children import is_application
    except ImportError:
        if "BEAR_OTEL_ROOT" not in os.environ:
            os.environ["BEAR_OTEL_ROOT"] = str(os.getpid())
            sys.stderr.write(
                "bear-otel: the application runs without telemetry, since bear-otel is not "
                f"installed for its Python; install it with: {sys.executable} -m pip install "
                "bear-otel\n"
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
            sys.stderr.write(f"bear-otel: {error}; the application runs without telemetry\n")
            return
    from opentelemetry.instrumentation.auto_instrumentation import initialize

    initialize()


# The application's own path is as it would be without us. Children are told by the environment.
sys.path[:] = [path for path in sys.path if os.path.abspath(path) != _HERE]
_run_hidden_sitecustomize()
_start_telemetry()
