"""Start a part so that it never outlives its supervisor.

Run by path, before anything of floorpulse is imported: `launch.py SUPERVISOR_PID COMMAND [ARGUMENT...]`. On Linux
the kernel is told to send SIGTERM to this process when its parent dies; that promise survives the exec that follows.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(argv: list[str]) -> None:
    """Ask for SIGTERM at the parent's death, then become the command."""
    parent, command = int(argv[1]), argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it died before the promise was given
        sys.exit(1)
    os.execv(command[0], command)


if __name__ == "__main__":
    main(sys.argv)
