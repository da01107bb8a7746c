"""Files that were sent: how long they stay, and what makes room for the next."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from daw_bridge.messages.arguments import MAX_BLOB_BYTES
from daw_bridge.messages.service import BlobPut
from daw_bridge.service import blobs as module
from daw_bridge.service.blobs import FRESH_S, KEPT_S, RETRIED_S, Uploads
from engine.errors import TooLarge

NOW_S = 1_700_000_000.0


class Needs:
    """The files that jobs need, and what was asked of it."""

    def __init__(self) -> None:
        self.paths: set[str] = set()
        self.asked: list[float] = []

    def __call__(self, ended_within_s: float) -> Iterable[str]:
        self.asked.append(ended_within_s)
        return self.paths


@pytest.fixture
def needs() -> Needs:
    return Needs()


@pytest.fixture
def uploads(tmp_path: Path, needs: Needs) -> Uploads:
    return Uploads(tmp_path / "uploads", needs, now=lambda: NOW_S)  # type: ignore[arg-type]


def sent(uploads: Uploads, content: bytes, age_s: float = 0.0) -> Path:
    """Send a file that was used last so long ago."""
    digest = hashlib.sha256(content).hexdigest()
    request = BlobPut(rid="-", transfer_id="t", index=0, count=1, sha256=digest, data=content)
    _, whole = uploads.put("client", request)
    assert whole is not None
    path = Path(whole.checked())
    os.utime(path, (NOW_S - age_s, NOW_S - age_s))
    return path


def test_what_no_job_needs_goes_an_hour_after_its_last_use(uploads: Uploads, needs: Needs) -> None:
    old, needed = sent(uploads, b"old", KEPT_S + 1), sent(uploads, b"needed", 10 * KEPT_S)
    fresh, used = sent(uploads, b"fresh", KEPT_S - 1), sent(uploads, b"used", 10 * KEPT_S)
    os.utime(used, (NOW_S, used.stat().st_mtime))
    # As a job has it whose client wrote the folder's name in another way.
    needs.paths = {f"/elsewhere/../{needed.name}"}
    assert uploads.tidy() == 1
    assert not old.exists() and needed.exists() and fresh.exists() and used.exists()
    assert needs.asked == [RETRIED_S]


def test_files_of_others_stay(uploads: Uploads, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    uploads.folder.mkdir()
    (uploads.folder / ("a" * 64)).symlink_to(secret)
    (uploads.folder / ("b" * 64)).mkdir()
    (uploads.folder / "1.part").symlink_to(secret)
    uploads.clear_parts()
    assert uploads.tidy() == 0
    assert secret.exists() and len(list(uploads.folder.iterdir())) == 3


def test_room_is_made_by_what_was_used_longest_ago(
    uploads: Uploads, needs: Needs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_KEPT_BYTES", MAX_BLOB_BYTES + 8)
    ages_s = {b"1111": 4 * FRESH_S, b"2222": 3 * FRESH_S, b"3333": 2 * FRESH_S, b"4444": 0.0}
    first, second, third, fourth = (sent(uploads, content, age_s) for content, age_s in ages_s.items())
    assert not first.exists(), "the fourth needed its room"
    needs.paths = {str(second)}
    fifth = sent(uploads, b"5555")
    assert second.exists() and fourth.exists() and fifth.exists() and not third.exists()
    assert needs.asked == [0.0, 0.0]
    with pytest.raises(TooLarge, match="too many sent files"):
        sent(uploads, b"6666")


def test_a_file_that_comes_again_stays_the_one_that_jobs_were_given(uploads: Uploads) -> None:
    path = sent(uploads, b"RIFF", 10 * KEPT_S)
    before = path.stat()
    digest = hashlib.sha256(b"RIFF").hexdigest()
    _, whole = uploads.put(
        "other", BlobPut(rid="-", transfer_id="t", index=0, count=1, sha256=digest, data=b"RIFF")
    )
    assert whole is not None and whole.checked() == str(path)
    after = path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert after.st_atime > before.st_atime


def test_a_file_that_was_damaged_is_replaced_when_it_comes_again(uploads: Uploads) -> None:
    path = sent(uploads, b"RIFF")
    path.write_bytes(b"")
    assert sent(uploads, b"RIFF") == path and path.read_bytes() == b"RIFF"
