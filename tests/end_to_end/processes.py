"""What the operating system knows of a running instance."""

from pathlib import Path


def children(pid: int) -> list[int]:
    """The processes started by a process that still run, oldest first."""
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal())
    return sorted(candidate for candidate in pids if _parent(candidate) == pid)


def descendants(pid: int) -> list[int]:
    """A process and everything below it."""
    return [pid, *(below for child in children(pid) for below in descendants(child))]


def program(pid: int) -> str:
    """The name of the binary that runs, empty when the process has ended."""
    try:
        return Path(f"/proc/{pid}/exe").readlink().name
    except OSError:
        return ""


def has_connection_from(pid: int, port: int) -> bool:
    """Whether a process holds the server's end of the connection from a local port."""
    sockets = set()
    for line in Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]:
        fields = line.split()
        if int(fields[2].rpartition(":")[2], 16) == port:
            sockets.add(f"socket:[{fields[9]}]")
    try:
        return any(str(entry.readlink()) in sockets for entry in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False


def _parent(pid: int) -> int | None:
    try:
        state, parent = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[:2]
    except OSError:
        return None
    return None if state == "Z" else int(parent)
