"""Two organizations, every route, and everybody who must not get anywhere with it."""
