"""The cores and the memory of this machine that we may use, and how much of them processes take."""

import os
import platform
import re
import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path


def cores() -> int:
    """Cores this process may use, which in a container are fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor_name() -> str:
    """The processor as the system names it."""
    found = re.search(r"^model name\s*:\s*(.+)$", cpuinfo(), re.MULTILINE)
    return found[1].strip() if found else platform.processor() or platform.machine()


def processor_flags() -> frozenset[str]:
    """What the processor can do, by the names that Linux gives it; empty where the system does not tell."""
    found = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", cpuinfo(), re.MULTILINE)
    return frozenset(found[1].split()) if found else frozenset()


def cpuinfo() -> str:
    path = Path("/proc/cpuinfo")
    return path.read_text(errors="replace") if path.is_file() else ""


@dataclass(frozen=True)
class Load:
    """How much of this process's cores all processes, and this one, have taken so far; seconds of processor time."""

    all: float
    own: float
    clock: float

    @staticmethod
    def now() -> "Load":
        return Load(busy_seconds(), time.process_time(), time.monotonic())

    def others_since(self) -> float:
        """Share of the cores that other processes have taken since, from 0 to 1; 0 where the system does not tell."""
        now = Load.now()
        whole = (now.clock - self.clock) * cores()
        if not now.all or whole <= 0:
            return 0.0
        return min(1.0, max(0.0, ((now.all - self.all) - (now.own - self.own)) / whole))


def busy_seconds() -> float:
    """Processor seconds that the cores this process may use have worked, or were taken by the host, since the machine started;
    0 where the system does not tell (proc_stat(5))."""
    stat = Path("/proc/stat")
    if not stat.is_file() or not hasattr(os, "sched_getaffinity"):
        return 0.0
    own = {f"cpu{core}" for core in os.sched_getaffinity(0)}
    ticks = 0
    for line in stat.read_text().splitlines():
        name, *times = line.split()
        if name in own:
            user, nice, system, _, _, irq, softirq, stolen = map(int, times[:8])
            ticks += user + nice + system + irq + softirq + stolen
    return ticks / os.sysconf("SC_CLK_TCK")


def available_bytes() -> int:
    """Bytes that processes may still take: of the machine, or of the control group that holds us (Linux), if that is less."""
    found = []
    meminfo = Path("/proc/meminfo")
    if meminfo.is_file():
        match = re.search(r"MemAvailable:\s+(\d+) kB", meminfo.read_text())
        found += [int(match[1]) * 1024] if match else []
    limit, used = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
    if limit.is_file() and used.is_file() and limit.read_text().strip().isdigit():
        found.append(int(limit.read_text()) - int(used.read_text()))
    if not found:
        found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2)
    return max(0, min(found))


def peak_bytes() -> int:
    """Most memory this process has held so far (resident set)."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def resident_bytes() -> int:
    """Memory this process holds now; where the system does not tell, the most it held."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        return peak_bytes()


def peak_of(process: int) -> int:
    """Most memory that another process has held so far, in bytes (resident set); 0 where the system does not tell."""
    status = Path(f"/proc/{process}/status")
    try:
        match = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
    except OSError:  # it has ended, or this is no Linux
        return 0
    return int(match[1]) * 1024 if match else 0
