"""The traces of one web process, on their way to the stream."""

from collections.abc import Callable, Sequence

from redis.exceptions import RedisError

from ibex.storage.write_behind import WriteBehind
from ibex.traces.packing import pack
from ibex.traces.stream import TraceStream
from ibex.traces.trace import Trace

_AWAY = (RedisError, OSError)


class TraceLog(WriteBehind[Trace]):
    """Takes traces without waiting, and puts them into the stream in batches.

    Parameters
    ----------
    capacity: most traces that wait in this process, while Redis is away or full, or the stream is.
    dropped: called with the number of traces that are lost, because more did.
    """

    def __init__(self, stream: TraceStream, *, capacity: int, dropped: Callable[[int], None]) -> None:
        async def write(traces: Sequence[Trace]) -> None:
            await stream.add(pack(traces), len(traces))

        super().__init__(write, dropped=dropped, capacity=capacity, away=_AWAY)
