"""Where and with what a number was measured, in one line, and how busy the machine was (Linux)."""

import datetime
import os
import platform
from importlib.metadata import version
from pathlib import Path

LIBRARIES = ("torch", "transformers", "luthier")


def describe() -> str:
    """Processor, cores this process may use, memory, versions, date.

    Versions come from the installed packages' metadata: nothing heavy is imported, so the caller stays small.
    """
    gibibytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    versions = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return (
        f"{processor()}, {cores()} cores, {gibibytes:.0f} GiB; {platform.system()}; "
        f"Python {platform.python_version()}, {versions}; {datetime.date.today().isoformat()}"
    )


def cores() -> int:
    """Cores this process may use, which in a container are fewer than the machine has."""
    return len(os.sched_getaffinity(0))


def busy_seconds() -> float:
    """Processor seconds that all processes, and the host above this machine, have taken since it started."""
    user, nice, system, _idle, _waiting, irq, softirq, stolen = map(
        int, Path("/proc/stat").read_text().split()[1:9]
    )
    return (user + nice + system + irq + softirq + stolen) / os.sysconf("SC_CLK_TCK")


def processor() -> str:
    """The processor's model name as the kernel tells it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


if __name__ == "__main__":
    print(describe())
