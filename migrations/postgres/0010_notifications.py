"""Who is told of events, and how that went."""

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    pass
