"""A Loki on a kernel that knows few walls: its status, and a call's value, as JSON.

The kernel's part is played by a filter of our own, which every process inherits.
"""

import ctypes
import errno
import json
import sys

from loki.actors.runner import kernel
from loki.core.runner import syscall_filter as sf
from loki.testing import LokiServer

PR_SET_SECCOMP, MODE_FILTER = 22, 2  # Source: prctl(2)
TOOL = '[[tools]]\nname = "one"\nreturn_type = "integer"\nscript = { inline = "return 1" }\n'
MISSING = {  # As the numbers are on x86_64 and on aarch64.
    (kernel.CREATE_RULESET, kernel.CREATE_RULESET): errno.ENOSYS,
    (317, 277): errno.ENOSYS,  # seccomp
    (272, 97): errno.EPERM,  # unshare
    (161, 51): errno.EPERM,  # chroot
    (126, 91): errno.EPERM,  # capset
}


def forget_walls() -> None:
    column = list(kernel.SECCOMP_NUMBER).index(kernel.machine())
    code: list[sf.Instruction] = [(sf.LOAD, 0, 0, sf.NUMBER_AT)]
    for numbers, error in MISSING.items():
        code += [(sf.EQUAL, 0, 1, numbers[column]), (sf.RETURN, 0, 0, 0x00050000 | error)]
    code.append((sf.RETURN, 0, 0, sf.ALLOW))
    program = kernel._Program(len(code), sf.packed(tuple(code)))
    kernel.refuse_new_privileges()
    kernel._prctl(PR_SET_SECCOMP, MODE_FILTER, ctypes.addressof(program))


def main() -> None:
    forget_walls()
    with LokiServer(tools=TOOL) as server, server.client() as client:
        (engine,) = client.get_capabilities().engines
        value = client.execute("one").value
    walls = {w.name: "" if w.active else w.detail for w in engine.walls}
    json.dump({"value": value, "missing": {n: why for n, why in walls.items() if why}}, sys.stdout)


if __name__ == "__main__":
    main()
