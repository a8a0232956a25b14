"""`python -m loki` and the `loki` command: the command line."""

import sys


def main() -> None:
    """Run one command and end the process with its exit code."""
    if sys.argv[1:] == ["version"]:  # Typer would load pydantic first, to parse nothing.
        from loki.cli.status import version

        version()
    else:
        from loki.cli.app import app

        app(prog_name="loki")


if __name__ == "__main__":
    main()
