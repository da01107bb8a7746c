"""What every process that this program starts gets: the command, the environment, a log."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

# Threads of a render wait for each other at every layer, at full speed for as long as their library likes.
# Beside a DAW that keeps one core busy that made a render ten times as slow; this little costs it nothing.
_PATIENT = {"GOMP_SPINCOUNT": "1000", "KMP_BLOCKTIME": "1"}
_PACKAGES = Path(__file__).resolve().parent.parent


def module_command(module: str, *arguments: str) -> tuple[str, ...]:
    """Return the command that runs a module of this program."""
    # -P: a folder named like a package of ours, where the user happens to be, must not be taken for it.
    return (sys.executable, "-P", "-m", module, *arguments)


def environment() -> dict[str, str]:
    """Return this process's environment, in which its own packages are found."""
    paths = (str(_PACKAGES), os.environ.get("PYTHONPATH", ""))
    own = {"PYTHONPATH": os.pathsep.join(path for path in paths if path)}
    return {**_PATIENT, **os.environ, **own}


async def start(
    command: Sequence[str], log_path: Path | None, *, max_line_bytes: int, pass_fds: Sequence[int] = ()
) -> asyncio.subprocess.Process:
    """Start a process that is asked on its stdin and answers on its stdout, one line each; raises OSError.

    It is in its own session: Ctrl-C at a terminal reaches only the service, which then decides.
    """
    import asyncio  # noqa: PLC0415 - half of who starts processes has no event loop

    with log_for(log_path) as log:
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log if log is not None else asyncio.subprocess.DEVNULL,
            start_new_session=True,
            env=environment(),
            limit=max_line_bytes,
            pass_fds=pass_fds,
        )


@contextmanager
def log_for(path: Path | None) -> Iterator[IO[bytes] | None]:
    """Open a process's log anew; without a place for it the process runs without one."""
    try:
        log = None if path is None else _opened(path)
    except OSError:
        log = None
    try:
        yield log
    finally:
        if log is not None:
            log.close()


def _opened(path: Path) -> IO[bytes]:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("wb")
