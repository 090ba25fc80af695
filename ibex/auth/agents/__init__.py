"""Agents: whom tokens act as."""
