"""The way of a text into memory, stage by stage."""
