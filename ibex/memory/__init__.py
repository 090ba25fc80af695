"""What agents remember: kept word for word with its source, and found again."""
