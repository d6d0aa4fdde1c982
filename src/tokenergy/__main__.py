"""`python -m tokenergy` is the command line; Ctrl-C ends it quietly, also while it starts."""

import sys


def main() -> None:
    """Start the command line."""
    try:
        from tokenergy.cli.main import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
