"""`bear-otel doctor`: find out why telemetry does not arrive, and how to mend it."""
