"""A request to stop that arrives while IBEX still prepares itself."""

import signal
import sys
from types import FrameType


class Interruption:
    """On SIGTERM, SIGINT or SIGHUP leaves what is under way with `SystemExit`, status 0, once.

    Python drops an exception that is raised in certain callbacks, such as those around a fork. So that the
    request is not dropped with it, `check` is to be called after whatever takes long.
    """

    def __init__(self) -> None:
        self._told = False
        sys.unraisablehook = self._report
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            # Whoever ignores SIGHUP, as nohup does, wants IBEX to outlive the terminal.
            if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._leave)

    def check(self) -> None:
        """Raise `SystemExit` when there has been a request."""
        if self._told:
            sys.exit(0)

    def disregard(self) -> None:
        """What is being stopped anyway is not to be interrupted."""
        self._told = True

    def _report(self, unraisable: "sys.UnraisableHookArgs") -> None:
        """What Python drops is reported, but not the request itself: `check` heeds that."""
        if not isinstance(unraisable.exc_value, SystemExit):
            sys.__unraisablehook__(unraisable)

    def _leave(self, number: int, frame: FrameType | None) -> None:
        if not self._told:
            self._told = True
            sys.exit(0)
