"""The SQL of contents and archives."""
