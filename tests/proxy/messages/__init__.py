"""The paths of Anthropic's dialect."""
