"""The program as a DAW's external editor: the file itself becomes the take, and what it was is kept."""

from __future__ import annotations

import uuid
from contextlib import suppress
from pathlib import Path

from daw_bridge.daws.errands.run import run_side_by_side
from daw_bridge.daws.errands.status import ErrandState, Status
from daw_bridge.daws.folders.wish import Wish, leave_errand
from daw_bridge.daws.folders.writing_back import keep, replace, require_lossless
from daw_bridge.errors import WorkFailed
from daw_bridge.service.config import Folders
from engine.errors import EngineError, NotFound
from engine.types import ErrorCode, ErrorInfo

HOST = "edit"
_PROMPT_HINT = "Give --prompt, or set the live prompt: /ldm/1/param/prompt."


def edit_in_place(path: Path, wish: Wish, folders: Folders) -> Status:
    """Replace a file by the best take of it and keep what it was beside it; return the status with all takes.

    Raises:
        NotFound: no such file.
        AudioIOError: the file is lossy, so that a take has another format.
        WorkFailed: the job failed or was cancelled; the file stays as it was.
        OutputError, DiskFull: the file or its folder cannot be written; the file stays as it was.
    """
    # A link's file is what the DAW plays; the link itself must not become another one.
    path = path.resolve()
    if not path.is_file():
        raise NotFound(f"{path} is not there", "Give the file that the DAW has open.")
    require_lossless(path)
    # The errand reads what is kept: there its source stays, so that the take can be made again.
    kept = keep(path)
    folder = folders.errands / f"{HOST}-{uuid.uuid4().hex[:12]}"
    leave_errand(folder, wish.errand(path, folder / "takes", host=HOST) | {"path": str(kept)})
    try:
        (status,) = run_side_by_side([folder], folders)
        if isinstance(status, EngineError):
            raise status
        _require_done(status, path, kept)
        replace(path, Path(status.takes[0].split("\t")[1]))
    except BaseException:
        with suppress(OSError):
            kept.unlink()
        raise
    return status


def _require_done(status: Status, path: Path, kept: Path) -> None:
    """Raise WorkFailed in words of the user's own file, where the job made no take."""
    if status.state is not ErrandState.DONE:
        code = ErrorCode(status.code or ErrorCode.INTERNAL.value)
        message = status.message.replace(str(kept), str(path))
        hint = _PROMPT_HINT if message.endswith("the prompt is empty") else status.hint
        raise WorkFailed(ErrorInfo(code=code, message=message, hint=hint))
    if not status.takes:
        message = "no take was left: they were silent or no sound"
        raise WorkFailed(ErrorInfo(code=ErrorCode.SILENT_OUTPUT, message=message))
