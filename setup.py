"""Builds the native engine; everything declarative is in setup.cfg.

Where the compiler or the build fails, the package installs without `se_hpo._engine` and
uses the torch engine.
"""

from __future__ import annotations

import os
import platform
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

SOURCE = Path("csrc")
ISA_SOURCE = SOURCE / "kernels" / "isa.cpp"
"""Compiled once per instruction set, see `instruction_sets`."""
TESTING = "se_hpo._engine_testing"
"""What the engine's tests and benchmarks call: built in a checkout, in no wheel."""

FLAGS = ["-std=c++17", "-O3", "-fvisibility=hidden", "-fno-math-errno", "-g0"]
# Counting a Python reference without the GIL throws instead of corrupting memory.
FLAGS += ["-DPYBIND11_ASSERT_GIL_HELD_INCREF_DECREF"]


def instruction_sets() -> dict[str, list[str]]:
    """Name -> compiler flags, for this processor family."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return {"generic": isa_flags("generic", vector_bytes=16, registers=32)}
    sizes = {"x86-64-v2": (16, 16), "x86-64-v3": (32, 16), "x86-64-v4": (64, 32)}
    return {
        march: [f"-march={march}", *isa_flags(march.replace("-", "_"), *size)]
        for march, size in sizes.items()
    }


def isa_flags(name: str, vector_bytes: int, registers: int) -> list[str]:
    """Macros that csrc/kernels/isa.cpp expects."""
    return [
        f"-DSE_HPO_ISA={name}",
        f"-DSE_HPO_VECTOR_BYTES={vector_bytes}",
        f"-DSE_HPO_VECTOR_REGISTERS={registers}",
    ]


class BuildEngine(build_ext):
    """Compiles each source with its own flags, in parallel; failing is no error."""

    def finalize_options(self) -> None:
        """Leave `TESTING` out unless the package is built into the checkout."""
        super().finalize_options()
        self.compiled: dict[tuple[str, str], list[str]] = {}
        self.in_checkout = self.inplace or self.editable_mode
        if not self.in_checkout:
            self.extensions = [e for e in self.extensions if e.name != TESTING]

    def run(self) -> None:
        """Build, without what an earlier build in the checkout left."""
        if not self.in_checkout:
            left = Path(self.build_lib, self.get_ext_filename(TESTING))
            left.unlink(missing_ok=True)
        super().run()

    def build_extension(self, ext: Extension) -> None:
        """Compile and link the extension, or warn."""
        sources, self.force = ext.sources, True  # always link what was compiled
        try:
            ext.extra_objects = self.compile_objects(ext)
            ext.sources = []
            super().build_extension(ext)
        except Exception as error:  # noqa: BLE001 (the package must install without)
            self.warn(f"the native engine was not built, torch will be used: {error}")
        finally:
            ext.sources = sources

    def compile_objects(self, ext: Extension) -> list[str]:
        """Compile all sources; returns the object files."""
        jobs = [(source, FLAGS, "common") for source in ext.sources]
        for name, flags in instruction_sets().items():
            jobs.append((str(ISA_SOURCE), [*FLAGS, *flags], name))

        def compile_one(job: tuple[str, list[str], str]) -> list[str]:
            source, flags, folder = job
            if (source, folder) not in self.compiled:  # by the other extension
                self.compiled[source, folder] = self.compiler.compile(
                    [source],
                    output_dir=str(Path(self.build_temp) / folder),
                    include_dirs=ext.include_dirs,
                    extra_postargs=flags,
                )
            return self.compiled[source, folder]

        with ThreadPoolExecutor(os.cpu_count()) as threads:
            return [path for paths in threads.map(compile_one, jobs) for path in paths]

    def copy_extensions_to_source(self) -> None:
        """Editable installs: copy what was built."""
        built, everything = Path(self.build_lib), self.extensions
        self.extensions = [
            e for e in everything if (built / self.get_ext_filename(e.name)).exists()
        ]
        super().copy_extensions_to_source()
        self.extensions = everything

    def get_outputs(self) -> list[str]:
        """Only files that exist, so that a wheel without the engine is whole."""
        return [path for path in super().get_outputs() if Path(path).exists()]


def extensions() -> list[Extension]:
    """The engine and `TESTING`, or nothing where pybind11 is missing."""
    try:
        import pybind11
    except ImportError:
        return []
    sources = {p for p in SOURCE.rglob("*.cpp") if "tests" not in p.parts}
    testing = {p for p in sources if "testing" in p.parts}
    engine: dict[str, Any] = {
        "depends": [str(p) for p in [ISA_SOURCE, *sorted(SOURCE.rglob("*.hpp"))]],
        "include_dirs": [pybind11.get_include()],
        "extra_link_args": ["-pthread"],
        "language": "c++",
    }
    sources.remove(ISA_SOURCE)
    parts = {
        "se_hpo._engine": sources - testing,
        TESTING: sources - {SOURCE / "bindings.cpp"},
    }
    return [
        Extension(name, sources=sorted(map(str, files)), **engine)
        for name, files in parts.items()
    ]


setup(ext_modules=extensions(), cmdclass={"build_ext": BuildEngine})
