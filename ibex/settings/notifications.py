"""How organizations are told of what happens."""

from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from ibex.settings.addresses import network, smtp_url
from ibex.settings.section import Section

SmtpUrl = Annotated[SecretStr, AfterValidator(smtp_url)]
Days = Annotated[int, Field(ge=1, le=3_650)]


class NotificationSettings(Section):
    """Webhooks and mails: how many, how they are sent, and how long the log of it is kept."""

    webhooks_per_organization: Annotated[int, Field(ge=1, le=1_000)] = 50
    allow_http: bool = False
    allowed_networks: Annotated[
        tuple[Annotated[str, AfterValidator(network)], ...], Field(max_length=64)
    ] = ()
    timeout_seconds: Annotated[float, Field(gt=0, le=60)] = 15.0
    connections: Annotated[int, Field(ge=4, le=1_000)] = 64
    connections_per_webhook: Annotated[int, Field(ge=1, le=64)] = 4
    payload_limit_bytes: Annotated[int, Field(ge=1_024, le=1 << 20)] = 20 << 10
    disable_after_days: Days = 5
    delivery_days: Days = 30
    smtp_url: SmtpUrl | None = None
    mail_from: str | None = None

    @field_validator("allowed_networks", mode="before")
    @classmethod
    def _networks_may_be_separated_by_commas(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return [stripped for part in value.split(",") if (stripped := part.strip())]

    @model_validator(mode="after")
    def _mails_have_a_sender(self) -> Self:
        if (self.smtp_url is None) != (self.mail_from is None):
            raise ValueError("`smtp_url` and `mail_from` need each other")
        if self.mail_from is not None and ("@" not in self.mail_from or not self.mail_from.isprintable()):
            raise ValueError("`mail_from` is an address such as ibex@example.org")
        return self
