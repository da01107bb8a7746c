"""The libraries of a Linux desktop that Qt needs and does not bring along; looked for before Qt is."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Mapping

from engine.types import ErrorCode, ErrorInfo

# Debian's package of each; the Makefile installs the same for the tests.
_ALWAYS = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
}
_UNDER_X = {
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
}


def missing_libraries(environment: Mapping[str, str] = os.environ) -> ErrorInfo | None:
    """Tell what Qt would miss on this machine, with the command that installs it on Debian and Ubuntu."""
    if not sys.platform.startswith("linux"):
        return None
    is_x = bool(environment.get("DISPLAY")) and environment.get("QT_QPA_PLATFORM", "xcb").startswith("xcb")
    wanted = _ALWAYS | (_UNDER_X if is_x else {})
    missing = [name for name in wanted if not _is_there(name)]
    if not missing:
        return None
    packages = " ".join(wanted[name] for name in missing)
    return ErrorInfo(
        code=ErrorCode.NOT_FOUND,
        message=f"the window needs {', '.join(missing)} of the system",
        hint=f"Run: sudo apt-get install -y --no-install-recommends {packages}",
    )


def _is_there(name: str) -> bool:
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True
