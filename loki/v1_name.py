"""How typed services are named after scripts; for clients of the API and for the server."""

import re
from functools import lru_cache

SNAKE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


@lru_cache(maxsize=16 * 1024)  # Asked again and again, of each of perhaps ten thousand tools.
def camel_case(name: str) -> str:
    """`read_sensor` -> `ReadSensor`: what a tool's typed service is called.

    Two names with one form cannot both be offered; `ReadSensor` keeps its own.
    """
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def snake_case(name: str) -> str:
    """`readSensor` -> `read_sensor`; `read_sensor` keeps its own, and `readHTTP` is `read_h_t_t_p`.

    Names with different CamelCase forms have different ones: `camel_case` leads back to the form.
    """
    if SNAKE.fullmatch(name):
        return name
    form = camel_case(name)
    return form[:1].lower() + re.sub("[A-Z]", lambda capital: f"_{capital[0].lower()}", form[1:])
