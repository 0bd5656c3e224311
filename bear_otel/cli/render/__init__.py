"""Draw what arrives over OTLP as a person wants to read it in a terminal."""
