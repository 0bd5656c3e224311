"""What every record passes on its way out."""
