"""Previews: what would be sent, without sending it."""

from ibex.context.previewing.service import Preview, Previews

__all__ = ["Preview", "Previews"]
