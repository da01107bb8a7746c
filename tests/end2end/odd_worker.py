"""The real worker, but some prompts make it fail as machines do."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from typing import Any

import psutil
import torch

from engine import render_jobs, worker
from engine.render import _memory_errors
from engine.types import RenderSpec

HANG, DIE, STARVE = "hang", "die", "starve"
_ROOM_BYTES = 64_000_000


def odd_render(spec: RenderSpec, *arguments: Any) -> Any:
    if spec.prompt == HANG:
        sys.stderr.write(f"{HANG}\n")
        # Unlike time.sleep it keeps the interpreter's lock: no other thread of the process gets on either.
        ctypes.PyDLL(None).sleep(3600)
    if spec.prompt == DIE:
        os.kill(os.getpid(), signal.SIGKILL)
    if spec.prompt == STARVE:
        starve()
    return render(spec, *arguments)


def starve() -> None:
    """Ask for far more memory than the process may have, as a long region does."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    limit = psutil.Process().memory_info().vms + _ROOM_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, before[1]))
    try:
        with _memory_errors():
            torch.empty(100 * _ROOM_BYTES)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


if __name__ == "__main__":
    render, render_jobs.render = render_jobs.render, odd_render
    sys.exit(worker.main())
