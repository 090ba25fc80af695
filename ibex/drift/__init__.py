"""Whether agents still behave as they did."""
