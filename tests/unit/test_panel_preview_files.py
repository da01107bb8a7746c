"""Previews that are kept: names that can be read, and no file lost."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from engine.spec_json import spec_to_dict
from engine.types import RenderSpec, Task
from ui.model.preview_files import MOST_CHARACTERS, keep, name_of

SPEC = RenderSpec(task=Task.GENERATE, prompt="Pluie d'été", duration_s=1.0, seed=41, takes=3)


def test_a_preview_is_called_by_what_it_is() -> None:
    job = {"id": "J1", "spec": spec_to_dict(SPEC)}
    assert name_of(job, 2, 12, ".wav") == "generate-pluie-d-ete-seed42-take2-step12.wav"
    assert name_of({"id": "J1"}, 2, 12, ".wav") == "J1-take2-step12.wav", "a spec may be too long to be told"


@given(prompt=st.text(max_size=300).filter(str.strip), seed=st.integers(0, 2**32 - 1))
def test_a_name_is_short_and_any_system_has_it(prompt: str, seed: int) -> None:
    spec = RenderSpec(task=Task.GENERATE, prompt=prompt, duration_s=1.0, seed=seed, takes=8)
    name = name_of({"id": "J1", "spec": spec_to_dict(spec)}, 8, 1000, ".flac")
    assert len(name) <= MOST_CHARACTERS - len("-99")
    assert name.isascii() and name.replace("-", "").replace(".", "").isalnum() and name == name.lower()
    assert name.startswith("generate") and name.endswith("-take8-step1000.flac")


def test_what_is_kept_takes_no_other_file_away(tmp_path: Path) -> None:
    source, folder = tmp_path / "preview.wav", tmp_path / "takes"
    for content, name in (("one", "a.wav"), ("two", "a-2.wav"), ("one", "a.wav"), ("three", "a-3.wav")):
        source.write_text(content)
        assert keep(source, folder, "a.wav") == folder / name
    kept = {path.name: path.read_text() for path in folder.iterdir()}
    assert kept == {"a.wav": "one", "a-2.wav": "two", "a-3.wav": "three"}
