"""`python -m loki` and the `loki` command: the command line."""

import signal
import sys


def main() -> None:
    """Run one command and end the process with its exit code."""
    try:
        _run()
    except KeyboardInterrupt:  # While it was loading; commands see to it themselves.
        sys.exit(128 + signal.SIGINT)


def _run() -> None:
    if sys.argv[1:] == ["version"]:  # Typer would load pydantic first, to parse nothing.
        from loki.cli.status import version

        version()
    else:
        try:
            from loki.cli.app import app
        except ModuleNotFoundError as error:
            from loki.errors import pip_install

            what = pip_install("loki[server]")
            sys.exit(f"loki: {error.name} is not installed; try: {what}")
        app(prog_name="loki")


if __name__ == "__main__":
    main()
