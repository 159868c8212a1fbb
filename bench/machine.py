"""The machine: its processors, its limits, and what is installed for the run."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

HERE = Path(__file__).parent
NODE_PACKAGES = (
    "socket.io", "bufferutil", "redis", "@socket.io/redis-adapter",
    "@socket.io/redis-streams-adapter",
)  # fmt: skip
PYTHON_PACKAGES = ("python-socketio", "uvicorn", "uvloop", "httptools", "websockets", "aiohttp")


class Missing(Exception):
    """Something that the run needs is not there; the text says what."""


def two_cores() -> tuple[set[int], set[int]]:
    """Give a processor for the server and another one for the load generator."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise Missing("one processor is too few: the load generator needs its own")
    return {cores[0]}, {cores[1]}


def raise_limits(files: int) -> None:
    """Let this process and its children open many files."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < files:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
        except (ValueError, OSError) as exc:
            raise Missing(f"{files} open files are needed, and {most} allowed: {exc}") from exc
        return
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def compile_load(folder: Path) -> Path:
    """
    Compile the load generator.

    Raises:
        Missing: there is no C compiler, or it does not compile.
    """
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise Missing("no C compiler (cc, gcc or clang): the load generator cannot be made")
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "load"
    sources = sorted(str(path) for path in (HERE / "load").glob("*.c"))
    done = subprocess.run(
        [compiler, "-O2", "-std=gnu11", "-Wall", "-o", str(program), *sources, "-lm"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Missing(f"the load generator does not compile:\n{done.stderr}")
    return program


def install_node(cache: Path) -> Path:
    """
    Install Node's Socket.IO into the cache; give the folder of its ``node_modules``.

    Raises:
        Missing: there is no Node, or npm fails.
    """
    folder = cache / "node"
    if not shutil.which("node") or not shutil.which("npm"):
        raise Missing("Node.js and npm are not installed")
    if not all((folder / "node_modules" / name).is_dir() for name in NODE_PACKAGES):
        folder.mkdir(parents=True, exist_ok=True)
        _run(
            "npm", "install", "--prefix", str(folder), "--no-audit", "--no-fund",
            "--no-package-lock", *(f"{name}@latest" for name in NODE_PACKAGES),
        )  # fmt: skip
    return folder


def install_python(cache: Path) -> Path:
    """
    Install python-socketio and its hosts into the cache; give its Python.

    Raises:
        Missing: pip fails.
    """
    folder = cache / "python"
    python = folder / "bin" / "python"
    if not (folder / "installed").exists():
        venv.create(folder, with_pip=True)
        _run(str(python), "-m", "pip", "install", "-q", *PYTHON_PACKAGES)
        (folder / "installed").touch()
    return python


def default_cache() -> Path:
    """Give the folder, outside of the tree, for what is installed and compiled."""
    return Path(tempfile.gettempdir()) / "mojo-bench"


def describe() -> dict[str, str]:
    """Tell what machine this is."""
    model = platform.processor()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return {
        "processor": model,
        "processors": str(os.cpu_count()),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load": " ".join(f"{value:.2f}" for value in os.getloadavg()),
    }


def versions(node: Path | None, python: Path | None) -> dict[str, str]:
    """Tell which versions are compared."""
    found: dict[str, str] = {}
    if node is not None:
        found["node"] = _output("node", "--version")
        for name in (*NODE_PACKAGES, "engine.io", "ws"):
            package = str(node / "node_modules" / name / "package.json")
            found[name] = _output("node", "-p", f"require({package!r}).version")
    ask = "from importlib.metadata import version;print(version({!r}))"
    for name in ("twisted", "autobahn"):
        found[name] = _output(sys.executable, "-c", ask.format(name))
    if python is not None:
        for name in ("python-socketio", "uvicorn", "uvloop", "aiohttp"):
            found[name] = _output(str(python), "-c", ask.format(name))
    return found


def _output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "?"


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Missing(f"{' '.join(command[:3])} failed:\n{done.stdout}{done.stderr}")
