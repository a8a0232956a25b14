"""Random calls of the host, with arguments of the declared kinds or of others."""

from random import Random

from tests.generator.expression import Expressions

CALLS = (
    ("fenrir:gpio_read", "integer"),
    ("fenrir:gpio_read", "string"),
    ("fenrir:gpio_write", "integer", "boolean"),
    ("fenrir:sensor_read", "string"),
    ("fenrir:actuator_set", "string", "number"),
    ("hel:storage_set", "string", "table"),
    ("hel:storage_get", "string"),
    ("hel:storage_keys", "string"),
    ("hel:cache_set", "string", "string", "integer"),
    ("hel:cache_get", "string"),
    ("hel:fs_write", "string", "string"),
    ("hel:fs_read", "string"),
    ("hel:fs_list_dir", "string"),
    ("jormungandr:http_get", "string"),
    ("loki.emit", "table"),
    ("loki.emit", "string"),
    ("loki.progress", "number", "string"),
    ("loki.log", "string", "string"),
    ("loki.call", "string", "table"),
    ("loki.array", "table"),
    ("loki.bytes", "string"),
    ("loki.budget",),
    ("loki.now",),
)
SLEEPS = ("0", "1", "0.5", "2", "-1", "0/0", "'x'", "nil")
CALLED = 500  # Names of tools end in a number below.


def host_calls(random: Random) -> str:
    """Lines of Lua that call the host up to six times and print what becomes of it."""
    return "\n".join(_line(random) for _ in range(random.randrange(7))) + "\n"


def _line(random: Random) -> str:
    draw = random.random()
    if draw < 0.1:
        return f"print(pcall(loki.sleep, {random.choice(SLEEPS)}))"
    if draw < 0.2:
        called = f"'generated_{random.randrange(CALLED)}'"
        return f"print(pcall(loki.call, {called}, {{}}))"
    write = Expressions(random)
    name, *kinds = random.choice(CALLS)
    call = f"{name}({', '.join(write.of(kind, 1) for kind in kinds)})"
    if random.random() < 0.05:
        return f"print({call})"
    return f"print(pcall(function() return {call} end))"
