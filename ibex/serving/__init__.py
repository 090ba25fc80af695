"""The processes: the supervisor, what it prepares, and the web processes it keeps alive."""
