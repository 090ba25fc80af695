"""Finds the memories that a question is about."""
