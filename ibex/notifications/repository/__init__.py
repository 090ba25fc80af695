"""The SQL of webhooks, of their secrets and of what is delivered to them."""
