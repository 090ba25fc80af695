"""One record of each call: shipped, stored and asked for."""
