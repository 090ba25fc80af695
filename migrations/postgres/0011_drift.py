"""Fingerprints of how agents behave, baselines and alerts."""

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    pass
