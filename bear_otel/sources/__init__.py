"""What is measured: one file a source."""
