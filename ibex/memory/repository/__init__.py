"""The SQL of memories."""
