"""Checks of what people choose: names, slugs and texts."""

import re
import unicodedata
from uuid import UUID

from ibex.errors import ErrorCode, FieldError, IbexError

_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_NOT_IN_SLUG = re.compile(r"[^a-z0-9]+")


def invalid(field: str, message: str) -> IbexError:
    """The error for one field that cannot be accepted."""
    return IbexError(
        ErrorCode.VALIDATION_ERROR, message, param=field, field_errors=[FieldError(field, message)]
    )


def no_access(what: str) -> IbexError:
    """The error for something that is not there or is another's; nobody learns which."""
    return IbexError(
        ErrorCode.ACCESS_DENIED, f"There is no such {what} in this organization, or it is not yours to use."
    )


def conflict(message: str) -> IbexError:
    """The error for what is well formed but does not go with how things are."""
    return IbexError(ErrorCode.CONFLICT, message)


def taken(field: str, message: str) -> IbexError:
    """The error for a field whose value something else has already."""
    return IbexError(ErrorCode.CONFLICT, message, param=field, field_errors=[FieldError(field, message)])


def beyond(message: str, detail: str) -> IbexError:
    """The error for what goes beyond the rights of whoever asks."""
    return IbexError(ErrorCode.INSUFFICIENT_PERMISSIONS, message, detail=detail)


def checked_name(name: str, field: str = "name") -> str:
    """A name of 1 to 200 characters, none of them a control character. Raises VALIDATION_ERROR."""
    name = unicodedata.normalize("NFC", name).strip()
    if not 1 <= len(name) <= 200 or not _is_text(name):
        raise invalid(field, "A name has 1 to 200 characters, none of them a control character.")
    return name


def checked_description(text: str, field: str = "description") -> str:
    """Up to 2,000 characters; line breaks are fine. Raises VALIDATION_ERROR."""
    if len(text) > 2_000 or not _is_text(text.replace("\n", "").replace("\t", "")):
        raise invalid(field, "A description has 2000 characters at most, none of them a control character.")
    return text


def slug_of(name: str) -> str:
    """A slug made from a name; empty when nothing of it can be used."""
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return _NOT_IN_SLUG.sub("-", ascii_name.lower()).strip("-")[:63].rstrip("-")


def checked_slug(slug: str) -> str:
    """Raises VALIDATION_ERROR. A slug never looks like an id, so that a reference names one thing only."""
    if not is_slug(slug):
        raise invalid(
            "slug",
            f"`{slug[:80]}` is not a slug: use 1 to 63 small letters, digits and hyphens (and no UUID).",
        )
    return slug


def is_slug(text: str) -> bool:
    return _SLUG.fullmatch(text) is not None and as_uuid(text) is None


def as_uuid(text: str) -> UUID | None:
    """The id that a text is; None when it is none."""
    try:
        return UUID(text)
    except ValueError:
        return None


def _is_text(text: str) -> bool:
    """No control characters, and no halves of surrogate pairs, which cannot be stored."""
    return not any(unicodedata.category(character) in {"Cc", "Cs"} for character in text)
