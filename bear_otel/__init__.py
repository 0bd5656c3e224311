"""Private by default OpenTelemetry for Python services."""
