"""`python -m ibex`."""

import sys


def main() -> None:
    """Run the command line. Interrupted while it still loads, it leaves without a traceback."""
    try:
        from ibex.cli import main as command
    except KeyboardInterrupt:
        sys.exit(130)
    command(prog_name="ibex")


if __name__ == "__main__":
    main()
