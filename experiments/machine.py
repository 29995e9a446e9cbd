"""The machine that a benchmark ran on, for its JSON."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

from se_hpo.training import native_engine


def machine() -> dict[str, Any]:
    """What the numbers were measured on."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        names = [x.split(":")[1].strip() for x in lines if x.startswith("model name")]
        model = names[0] if names else model
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "isa": native_engine.isa() if native_engine.available() else None,
        "usable_isas": native_engine.isas(),
        "load_average": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
    }
