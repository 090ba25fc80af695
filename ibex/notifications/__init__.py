"""Tells whom an organization wants to be told: webhooks and mail."""
