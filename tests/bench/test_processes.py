"""A family of processes ends as a whole."""

from __future__ import annotations

import os
import select
import subprocess
import sys

from bench.processes import family, is_alive, kill_family

GRANDCHILD = "import time; print('started', flush=True); time.sleep(3600)"
CHILD = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {GRANDCHILD!r}])"


def test_whole_family_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", CHILD], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"started\n"
        members = family(child.pid)
        assert members[0] == child.pid
        assert len(members) == 2
        assert all(map(is_alive, members))
        descriptors = [os.pidfd_open(member) for member in members]
        assert kill_family(child.pid) == members
        for descriptor in descriptors:
            select.select([descriptor], [], [])  # until it has ended
            os.close(descriptor)
        assert not any(map(is_alive, members))


def test_who_has_ended_is_not_alive() -> None:
    with subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.read()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and is not reaped
        assert not is_alive(child.pid)
