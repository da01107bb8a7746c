"""Which files a client may name: on this machine any, from elsewhere only those in folders made for it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from daw_bridge.errors import PathDenied
from daw_bridge.service.session import Session
from engine.errors import AudioMissing, NotFound, OutputError, TooLarge

MAX_SPEC_BYTES = 1_000_000


class Paths:
    """Confines the clients of other machines to some folders, symbolic links resolved."""

    def __init__(self, roots: Sequence[Path]) -> None:
        self._roots = tuple(os.path.realpath(root) for root in roots)

    def readable(self, session: Session, path: str) -> str:
        """Return the whole path of an existing file.

        Raises:
            PathDenied: outside the client's folders, or not a whole path.
            AudioMissing: there is no such file.
        """
        return self._file(path, self.allowed(session, path))

    def own(self, path: str) -> str:
        """Return the whole path of a file of the service's own; raises as readable.

        So for clients of this machine too: on it others may have an account, but no right to all files.
        """
        return self._file(path, self._confined(path))

    def folder(self, session: Session, path: str) -> str:
        """Return the whole path of a folder to write into, which need not exist yet; raises as readable."""
        allowed = self.allowed(session, path)
        if Path(allowed).is_file():
            raise OutputError(f"{path!r:.300} is a file", "Give a folder.")
        return allowed

    def text(self, session: Session, path: str) -> str:
        """Return the content of a small text file.

        Raises:
            PathDenied, AudioMissing: as readable.
            TooLarge: more than MAX_SPEC_BYTES.
            NotFound: it cannot be read, or is no UTF-8.
        """
        allowed = self.readable(session, path)
        try:
            with Path(allowed).open("rb") as file:
                content = file.read(MAX_SPEC_BYTES + 1)
            if len(content) > MAX_SPEC_BYTES:
                raise TooLarge(f"{path!r:.300} has more than {MAX_SPEC_BYTES} bytes")
            return content.decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise NotFound(f"{path!r:.300} cannot be read as text: {error}") from error

    def _file(self, path: str, allowed: str) -> str:
        if not Path(allowed).is_file():
            raise AudioMissing(f"{path!r:.300} is not a file", "Check the path.")
        return allowed

    def allowed(self, session: Session, path: str) -> str:
        """Return the whole path of what may not exist; raises PathDenied as readable."""
        # As given for clients of this machine: a link of theirs may mean something to them.
        return self._confined(path) if session.is_remote else os.path.normpath(_whole(path))

    def _confined(self, path: str) -> str:
        real = os.path.realpath(_whole(path))
        if not any(_is_within(real, root) for root in self._roots):
            raise PathDenied(
                f"{path!r:.300} is outside the folders that a client of another machine may use",
                "Send the file by /ldm/1/blob/put and use the path that it answers.",
            )
        return real


def _whole(path: str) -> str:
    if "\0" in path or not Path(path).is_absolute():
        raise PathDenied(f"{path!r:.300} is not a whole path", "Give it from the root of the disk on.")
    if path != path.encode("utf-8", "replace").decode():
        # JSON can say it, but neither OSC nor libsndfile can.
        raise PathDenied(f"{path!r:.300} is not UTF-8 text", "Rename it.")
    return path


def _is_within(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip(os.sep) + os.sep)
