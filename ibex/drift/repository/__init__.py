"""The SQL of drift."""
