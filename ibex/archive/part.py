"""A part of a session as an object: its lines compressed, its name, and what is known of it beside it."""

import gzip
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from uuid import UUID

import orjson

from ibex.archive.repository.archives import Archive
from ibex.archive.repository.contents import Line

# Lines of JSON, compressed with gzip.
FORMAT = 1
ARCHIVE, MANIFEST = ".jsonl.gz", ".jsonl.gz.json"
# As small as level 9 makes conversations, but for some percent, in a third of the time.
_LEVEL = 6


class DamagedArchiveError(Exception):
    """An object is not what was stored. The message names it."""


@dataclass(frozen=True, slots=True)
class Part:
    """An archive and its object. The same turns make the same object under the same name."""

    archive: Archive
    packed: bytes = field(repr=False)

    def manifest(self) -> bytes:
        told = {**asdict(self.archive), "object_sha256": self.archive.object_sha256.hex()}
        return orjson.dumps(told, option=orjson.OPT_INDENT_2)


def part_of(org_id: UUID, lines: Sequence[Line]) -> Part:
    """Of turns of one session, in their order; at least one.

    The name has no text of a client's in it, only ids and times, and another one for other turns.
    """
    first, last = lines[0], lines[-1]
    text = b"".join(each.line + b"\n" for each in lines)
    packed = gzip.compress(text, _LEVEL, mtime=0)
    digest = sha256(packed)
    return Part(
        Archive(
            object_key=f"{org_id}/{first.at:%Y/%m/%d}/{first.turn_id}-{digest.hexdigest()[:16]}{ARCHIVE}",
            agent_id=first.agent_id,
            session_id=first.session_id,
            format=FORMAT,
            turns=len(lines),
            first_turn_id=first.turn_id,
            last_turn_id=last.turn_id,
            first_at=min(each.at for each in lines),
            last_at=max(each.at for each in lines),
            content_bytes=len(text),
            object_bytes=len(packed),
            object_sha256=digest.digest(),
        ),
        packed,
    )


def manifest_key(key: str) -> str:
    return key.removesuffix(ARCHIVE) + MANIFEST


def check(archive: Archive, packed: bytes) -> None:
    """Raises `DamagedArchiveError` when these bytes are not what was archived."""
    if sha256(packed).digest() != archive.object_sha256:
        raise DamagedArchiveError(
            f"the object {archive.object_key} is damaged: its SHA-256 is not "
            f"{archive.object_sha256.hex()}, which was archived"
        )


def lines_of(archive: Archive, packed: bytes) -> list[bytes]:
    """The lines of an archive, each with its end. Raises `DamagedArchiveError`."""
    check(archive, packed)
    return gzip.decompress(packed).splitlines(keepends=True)
