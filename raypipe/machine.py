"""What this machine is: CPUs that may be used, the cores behind them, the processor's name."""

from __future__ import annotations

import contextlib
import os
import platform
from pathlib import Path


def usable_cpus() -> int:
    """CPUs that this process may use; each thread of a core counts."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


def usable_cores() -> int:
    """Cores behind these CPUs; as many where the system does not tell."""
    if not hasattr(os, "sched_getaffinity"):
        return usable_cpus()
    cores = set()
    for cpu in os.sched_getaffinity(0):
        path = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        try:
            cores.add(path.read_text("utf-8").strip())
        except OSError:
            return usable_cpus()
    return len(cores) or 1


def cpu_name() -> str:
    """What the processor calls itself."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
