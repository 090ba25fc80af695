"""`python -m ibex`."""

import os
import sys


def main() -> None:
    """Run the command line. Interrupted while it still loads, it leaves without a traceback."""
    # The products here are small: on busy cores the threads of numpy's library wait for each other, and what
    # takes 0.3 ms takes 50 now and then. It reads this when it is loaded.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        from ibex.cli import main as command
    except KeyboardInterrupt:
        sys.exit(130)
    command(prog_name="ibex")


if __name__ == "__main__":
    main()
