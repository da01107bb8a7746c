"""Bundles come back from their folder as they were, or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn

from engine.errors import DiskFull, ModelCorrupt, ModelMissing, OutputError
from engine.models.bundle import Bundle, debug_bundle, load_bundle, save_bundle
from engine.models.card import CARD_FILE, read_card
from engine.models.clap_text import TextOnlyClap, without_audio_tower
from engine.models.files import replacing, require_room, restore, sha256_of
from engine.models.weights import assign_weights, build_empty, write_weights


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return debug_bundle()


@pytest.fixture(scope="module")
def saved(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles") / "debug"
    save_bundle(folder, bundle, dtype=torch.float32)
    return folder


def render(bundle: Bundle) -> torch.Tensor:
    """Pass a second of sound through every network."""
    audio_BS = torch.sin(torch.arange(16_000) / 20.0)[None]
    with torch.no_grad():
        z_BCHW = bundle.vae.encode(bundle.mel(audio_BS)).mode()
        condition_BE = bundle.clap.embed_text(["a dog"]) + bundle.clap.embed_audio(audio_BS, 16_000)
        z_BCHW = bundle.unet(z_BCHW, torch.tensor([500.0]), condition_BE)
        return bundle.vocoder(bundle.vae.decode(z_BCHW))


def test_debug_bundles_are_one_per_seed_and_leave_the_generator_alone() -> None:
    torch.manual_seed(5)
    wanted = torch.rand(1)
    torch.manual_seed(5)
    first, again, other = debug_bundle(1), debug_bundle(1), debug_bundle(2)
    assert torch.equal(torch.rand(1), wanted)
    assert torch.equal(render(first), render(again))
    assert not torch.allclose(render(first), render(other))


def test_a_debug_bundles_sound_depends_on_every_network(bundle: Bundle) -> None:
    before = render(bundle)
    assert torch.isfinite(before).all() and before.std() > 1e-4
    for network in (bundle.unet, bundle.vae, bundle.vocoder, bundle.clap.model):
        parameter = next(p for p in network.parameters() if p.dim() > 1)
        with torch.no_grad():
            kept = parameter.clone()
            parameter.mul_(-1.5)
            assert not torch.allclose(render(bundle), before, rtol=1e-6)
            parameter.copy_(kept)


def test_float32_bundles_come_back_exactly(bundle: Bundle, saved: Path) -> None:
    loaded = load_bundle(saved)
    torch.testing.assert_close(render(loaded), render(bundle))
    for name in ("unet", "vae", "vocoder"):
        wanted = getattr(bundle, name).state_dict()
        for key, tensor in getattr(loaded, name).state_dict().items():
            assert torch.equal(tensor, wanted[key]), key
    assert loaded.card == replace(bundle.card, files=read_card(saved).files)
    assert loaded.scale_factor == bundle.scale_factor


def test_half_precision_on_the_disk_is_float32_in_memory(bundle: Bundle, tmp_path: Path) -> None:
    save_bundle(tmp_path / "half", bundle)
    loaded = load_bundle(tmp_path / "half")
    for name in ("unet", "vae", "vocoder"):
        for ours, theirs in zip(
            getattr(loaded, name).parameters(), getattr(bundle, name).parameters(), strict=True
        ):
            assert ours.dtype is torch.float32
            wanted = theirs.half().float() if theirs.dim() > 1 else theirs
            assert torch.equal(ours, wanted)


def test_what_half_precision_cannot_hold_stays_in_float32(tmp_path: Path) -> None:
    network = nn.Linear(2, 2)
    with torch.no_grad():
        network.weight.fill_(1e6)
    write_weights(tmp_path, "wide", network, torch.float16)
    stored = safetensors.torch.load_file(tmp_path / "wide.safetensors")
    assert torch.equal(stored["weight"], network.weight)


def test_large_components_are_spread_over_files_of_at_most_the_size(bundle: Bundle, tmp_path: Path) -> None:
    card = save_bundle(tmp_path / "spread", bundle, max_file_bytes=20_000)
    unets = [tmp_path / "spread" / name for name in card.files if name.startswith("unet-")]
    assert len(unets) > 2
    tensors = [safetensors.torch.load_file(path) for path in unets]
    assert all(len(t) == 1 or sum(x.nbytes for x in t.values()) <= 20_000 for t in tensors)
    assert torch.isfinite(render(load_bundle(tmp_path / "spread"))).all()


def test_the_cards_checksums_are_those_of_the_files(saved: Path) -> None:
    files = read_card(saved).files
    assert set(files) | {CARD_FILE} == {path.name for path in saved.iterdir()}
    assert all(sha256_of(saved / name) == digest for name, digest in files.items())


@pytest.mark.parametrize("name", ["unet", "vae", "vocoder", "clap"])
def test_one_flipped_bit_is_found(saved: Path, tmp_path: Path, name: str) -> None:
    folder = Path(shutil.copytree(saved, tmp_path / "debug"))
    path = folder / f"{name}.safetensors"
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelCorrupt, match=f"{name}.safetensors"):
        load_bundle(folder)
    load_bundle(folder, verify=False)


@pytest.mark.parametrize("name", ["unet.safetensors", "tokenizer.json"])
def test_an_absent_file_is_named(saved: Path, tmp_path: Path, name: str) -> None:
    folder = Path(shutil.copytree(saved, tmp_path / "debug"))
    (folder / name).unlink()
    with pytest.raises(ModelMissing, match=name):
        load_bundle(folder, verify=False)


@pytest.mark.parametrize("kept_bytes", [0, 4, 100, -10])
def test_a_truncated_file_is_refused_even_unverified(saved: Path, tmp_path: Path, kept_bytes: int) -> None:
    folder = Path(shutil.copytree(saved, tmp_path / "debug"))
    path = folder / "vae.safetensors"
    path.write_bytes(path.read_bytes()[:kept_bytes])
    with pytest.raises(ModelCorrupt, match="vae"):
        load_bundle(folder, verify=False)


def test_a_card_that_describes_another_network_is_refused(saved: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(saved, tmp_path / "debug"))
    text = (folder / CARD_FILE).read_text()
    assert '"base_channels": 8' in text
    (folder / CARD_FILE).write_text(text.replace('"base_channels": 8', '"base_channels": 16'))
    with pytest.raises(ModelCorrupt, match="unet.*shape"):
        load_bundle(folder)


def test_a_model_without_hearing_is_saved_and_loaded_without_it(bundle: Bundle, tmp_path: Path) -> None:
    deaf = debug_bundle()
    tower = without_audio_tower(deaf.clap.model)
    card = replace(deaf.card, clap_hears=False)
    deaf = replace(deaf, card=card, clap=TextOnlyClap(tower, deaf.tokenizer))
    save_bundle(tmp_path / "deaf", deaf, dtype=torch.float32)
    loaded = load_bundle(tmp_path / "deaf")
    torch.testing.assert_close(loaded.clap.embed_text(["a dog"]), bundle.clap.embed_text(["a dog"]))
    with pytest.raises(ModelMissing, match="audio tower"):
        loaded.clap.embed_audio(torch.zeros(1, 100), 16_000)


def test_empty_networks_take_no_memory_and_keep_their_tables() -> None:
    network = build_empty(lambda: nn.ModuleDict({"linear": nn.Linear(1000, 1000), "norm": nn.BatchNorm1d(4)}))
    assert network["linear"].weight.is_meta
    assert torch.equal(network["norm"].running_var, torch.ones(4))
    assert not torch.empty(1).is_meta


def test_weights_are_taken_over_without_a_copy() -> None:
    network = build_empty(lambda: nn.Linear(3, 2))
    state = {"weight": torch.ones(2, 3), "bias": torch.zeros(2)}
    assign_weights(network, state, "here")
    assert network.weight.data_ptr() == state["weight"].data_ptr()


def test_a_network_that_is_converted_holds_on_to_nothing_of_its_source() -> None:
    network = build_empty(lambda: nn.Linear(3, 2))
    state = {"weight": torch.ones(2, 3, dtype=torch.float16), "bias": torch.zeros(2)}
    assign_weights(network, state, "here")
    assert network.weight.dtype is torch.float32
    assert network.bias.data_ptr() != state["bias"].data_ptr()


@pytest.mark.skipif(sys.platform != "linux", reason="reads the process's memory map as Linux gives it")
def test_a_half_precision_bundle_stays_in_memory_only_once(bundle: Bundle, tmp_path: Path) -> None:
    save_bundle(tmp_path / "half", bundle)
    loaded = load_bundle(tmp_path / "half")
    assert loaded.card.files
    assert str(tmp_path / "half") not in Path("/proc/self/maps").read_text()


def test_a_replacement_that_fails_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    with replacing(folder) as part:
        (part / "a").write_text("first")
    with pytest.raises(RuntimeError):
        _fail_to_replace(folder)
    assert (folder / "a").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def _fail_to_replace(folder: Path) -> None:
    with replacing(folder) as part:
        (part / "a").write_text("second")
        raise RuntimeError


def test_a_replacement_cut_off_between_its_renames_is_undone(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "a").write_text("first")
    folder.rename(tmp_path / ".model.old")
    restore(folder)
    assert (folder / "a").read_text() == "first"


def test_only_old_leftovers_are_cleared(tmp_path: Path) -> None:
    stale, fresh = tmp_path / ".model.1.part", tmp_path / ".model.2.part"
    for part in (stale, fresh):
        part.mkdir()
    days_ago = time.time() - 3 * 24 * 3600
    os.utime(stale, (days_ago, days_ago))
    with replacing(tmp_path / "model"):
        pass
    assert fresh.exists() and not stale.exists()


@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left on device"), PermissionError("no")])
def test_a_write_that_fails_is_explained_and_leaves_nothing(
    tmp_path: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch, failure: OSError
) -> None:
    def fail(*args: object) -> None:
        raise failure

    monkeypatch.setattr(safetensors.torch, "save_file", fail)
    wanted = DiskFull if failure.errno == errno.ENOSPC else OutputError
    with pytest.raises(OutputError) as refusal:
        save_bundle(tmp_path / "model", bundle)
    assert type(refusal.value) is wanted and "model" in refusal.value.message
    assert list(tmp_path.iterdir()) == []


def test_too_little_room_is_told_before_anything_is_written(tmp_path: Path) -> None:
    require_room(tmp_path / "not" / "yet", 1)
    with pytest.raises(DiskFull, match="free"):
        require_room(tmp_path / "not" / "yet", 10**18)
    assert list(tmp_path.iterdir()) == []
