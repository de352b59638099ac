"""How does a process end with the one that started it, however that one ends?

`python leash.py PARENT PROGRAM ARGUMENT...` becomes PROGRAM, after asking the kernel to kill it
when its parent dies: a parent that is ended by SIGKILL cleans up nothing itself. The kernel's
request outlives the exec; it is not inherited by children. It holds for the *thread* that
started the process: start it from one that stays. Other systems than Linux have no such request:
there a parent that is killed leaves its children behind.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(parent: int, command: list[str]) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        # It may have died before the request was made.
        if os.getppid() != parent:
            os._exit(1)
    os.execv(command[0], command)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
