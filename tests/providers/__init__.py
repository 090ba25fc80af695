"""A stub LLM provider whose answers, good and bad, a test chooses."""
