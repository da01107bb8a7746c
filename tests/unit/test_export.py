"""Bundles written in the released layouts: what comes back, what is refused, what is left on the disk."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn

from engine.audio.mel_scale import MelConfig
from engine.diffusion.schedule import ScheduleConfig
from engine.errors import BadJson, DiskFull, ModelCorrupt, ModelMissing, OutputError, SpecError
from engine.model_jobs import run_models
from engine.models import export_diffusers, export_original, files, store
from engine.models.bundle import Bundle, debug_bundle, load_bundle, save_bundle
from engine.models.card import ModelConfigs
from engine.models.checkpoint import load_any
from engine.models.export import export_model
from engine.models.export_limits import Layout
from engine.models.hifigan import HifiGanConfig
from engine.models.istft_vocoder import IstftVocoderConfig
from engine.models.mel_matching import MelMatchingConfig
from engine.models.note import CARD_KEY, NOTE_FILE, TOKENIZER_KEY
from engine.render import render
from engine.types import RenderSpec, SamplerSpec, Task
from tests.unit.exports import CANVAS_S, FITTING, SCALE_FACTOR, fitting_bundle
from tests.unit.small_disks import files_of_at_most

LAYOUTS = list(Layout)
GENERATE = RenderSpec(
    task=Task.GENERATE, prompt="A Dog barks", duration_s=0.5, sampler=SamplerSpec(steps=2), seed=7
)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return fitting_bundle()


@pytest.fixture(scope="module")
def saved(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "fitting"
    save_bundle(folder, bundle)
    return folder


@pytest.fixture(scope="module", params=LAYOUTS, ids=lambda layout: layout.value)
def layout(request: pytest.FixtureRequest) -> Layout:
    return request.param


@pytest.fixture(scope="module")
def exported(saved: Path, layout: Layout, tmp_path_factory: pytest.TempPathFactory) -> Path:
    into = tmp_path_factory.mktemp("exported") / name_of(layout)
    export_model(saved, layout, into)
    return into


def name_of(layout: Layout) -> str:
    return "own.ckpt" if layout is Layout.ORIGINAL else "own"


def assert_same_tensors(given: nn.Module, wanted: nn.Module, but_for: tuple[str, ...] = ()) -> None:
    here, there = given.state_dict(), wanted.state_dict()
    names = [name for name in there if not name.startswith(but_for)]
    assert names and here.keys() >= set(names)
    for name in names:
        assert torch.equal(here[name], there[name]), name


def test_every_tensor_comes_back(saved: Path, layout: Layout, exported: Path) -> None:
    before, after = load_bundle(saved), load_any(exported)
    assert_same_tensors(after.unet, before.unet)
    assert_same_tensors(after.vae, before.vae)
    assert_same_tensors(after.vocoder, before.vocoder)
    lost = ("audio_", "logit_scale") if layout is Layout.DIFFUSERS else ()
    assert_same_tensors(after.clap.model, before.clap.model, lost)


def test_sizes_licence_and_canvas_come_back(layout: Layout, exported: Path) -> None:
    card = load_any(exported).card
    lost = {"patch_embeds_hidden": 96, "patch_size": 4, "depths": (2, 2, 6, 2), "heads": (4, 8, 16, 32)}
    deaf = with_clap(FITTING, **lost)
    assert card.configs == (FITTING if layout is Layout.ORIGINAL else deaf)
    assert (card.scale_factor, card.canvas_s, card.licence) == (SCALE_FACTOR, CANVAS_S, "CC-BY-4.0")
    assert (card.metrics, card.clap_hears) == ({"fd": 1.5}, layout is Layout.ORIGINAL)
    assert card.provenance["layout"] == layout.value


def test_a_seeded_render_comes_back_bit_for_bit(saved: Path, exported: Path) -> None:
    (before,), (after,) = (
        render(GENERATE, loaded, None, lambda _: None, lambda: False)
        for loaded in (load_bundle(saved), load_any(exported))
    )
    assert (before.clip.audio_NS == after.clip.audio_NS).all()
    assert abs(before.clip.audio_NS).max() > 0


def test_what_is_left_out_is_told(saved: Path, layout: Layout, tmp_path: Path) -> None:
    done = export_model(saved, layout, tmp_path / name_of(layout))
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert done.size_bytes == sum(path.stat().st_size for path in written)
    (sentence,) = done.left_out
    assert ("audio tower" if layout is Layout.DIFFUSERS else "knows no CLAP") in sentence


FOREIGN_PARTS = {
    "istft": (lambda c: replace(c, vocoder=IstftVocoderConfig()), "inverse-STFT", "od"),
    "noisiest": (lambda c: with_schedule(c, noisiest=0.9), r"noisiest 0.9 \(readers take 1.0\)", "od"),
    "passes": (
        lambda c: replace(c, mel_matching=MelMatchingConfig(passes=2)),
        r"mel_matching.passes 2 \(readers take 0\)",
        "od",
    ),
    "digits": (lambda c: with_schedule(c, start=0.001_234_567_8), "schedule.start 0.00123", "o"),
    "unet groups": (
        lambda c: with_unet(c, norm_groups=8),
        r"unet norms of 8 groups \(readers take 32\)",
        "o",
    ),
    "vae groups": (lambda c: with_vae(c, norm_groups=8), r"vae norms of 8 groups \(readers take 32\)", "o"),
    "mixed groups": (lambda c: with_vae(c, base_channels=16), "vae norms of 16 and 32 groups", "od"),
    "heads": (lambda c: with_unet(c, heads=4), r"unet.heads \[4\] \(readers take \[2\]\)", "o"),
    "head width": (lambda c: with_unet(c, head_channels=16), "unet.heads", "o"),
    "low": (lambda c: replace(c, mel=MelConfig(low_hz=20.0)), "mel.low_hz 20.0", "od"),
    "n_fft": (lambda c: replace(c, mel=MelConfig(n_fft=2048)), "mel.n_fft 2048", "od"),
    "bins": (lambda c: with_bins(c, 32), "cannot tell .no released mel has 32 bins", "od"),
    "odd rates": (lambda c: with_vocoder(c, **EXACT_ODD), "vocoder.exact_upsampling True", "d"),
    "kernels": (lambda c: with_vocoder(c, kernels=(15, 16, 8, 4, 4)), "sizes that it cannot tell", "o"),
    "dilations": (lambda c: with_vocoder(c, resblock_dilations=(1, 2)), "resblock_dilations", "o"),
    "text heads": (lambda c: with_clap(c, text_heads=2), "clap.text_heads 2", "o"),
    "epsilon": (lambda c: with_clap(c, layer_norm_eps=1e-12), "clap.layer_norm_eps 1e-12", "o"),
    "hearing": (lambda c: with_clap(c, spec_size=128), "clap.spec_size 128", "o"),
    "window": (lambda c: with_clap(c, window=7), "clap.window 7", "o"),
}
EXACT_ODD = {"rates": (5, 4, 4, 2), "kernels": (10, 8, 8, 4), "exact_upsampling": True}


def with_schedule(configs: ModelConfigs, **more: object) -> ModelConfigs:
    return replace(configs, schedule=ScheduleConfig(**more))


def with_unet(configs: ModelConfigs, **more: object) -> ModelConfigs:
    return replace(configs, unet=replace(configs.unet, **more))


def with_vae(configs: ModelConfigs, **more: object) -> ModelConfigs:
    return replace(configs, vae=replace(configs.vae, **more))


def with_vocoder(configs: ModelConfigs, **more: object) -> ModelConfigs:
    return replace(configs, vocoder=replace(configs.vocoder, **more))


def with_clap(configs: ModelConfigs, **more: object) -> ModelConfigs:
    return replace(configs, clap=replace(configs.clap, **more))


def with_bins(configs: ModelConfigs, bins: int) -> ModelConfigs:
    mel, vocoder = replace(configs.mel, mel_bins=bins), replace(configs.vocoder, mel_bins=bins)
    return replace(configs, mel=mel, vocoder=vocoder)


REFUSED = [
    (layout, case)
    for layout in LAYOUTS
    for case, (_, _, refusing) in FOREIGN_PARTS.items()
    if layout.value[0] in refusing
]


def require_fit(bundle: Bundle, layout: Layout) -> None:
    check = export_original.original_state if layout is Layout.ORIGINAL else export_diffusers.pipeline_configs
    check(bundle)


@pytest.mark.parametrize(("layout", "case"), REFUSED, ids=str)
def test_what_a_layout_has_no_place_for_is_refused(layout: Layout, case: str) -> None:
    change, message, _ = FOREIGN_PARTS[case]
    with pytest.raises(SpecError, match=message) as refusal:
        require_fit(fitting_bundle(change(FITTING)), layout)
    assert f"does not fit the {layout.value} layout" in refusal.value.message and refusal.value.hint


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_peak_of_passes_that_there_are_none_of_is_no_hindrance(layout: Layout) -> None:
    require_fit(fitting_bundle(replace(FITTING, mel_matching=MelMatchingConfig(passes=0, peak=0.9))), layout)


def test_diffusers_keeps_heads_groups_and_what_the_schedule_and_text_tower_are(tmp_path: Path) -> None:
    unet = replace(FITTING.unet, channel_mult=(1, 2, 3), attention_levels=(0, 2), heads=4, norm_groups=16)
    configs = replace(
        with_vae(replace(FITTING, unet=unet), norm_groups=4),
        schedule=ScheduleConfig(steps=500, start=0.001_234_567_8),
        clap=replace(FITTING.clap, text_heads=2, layer_norm_eps=1e-12),
        vocoder=replace(FITTING.vocoder, resblock_dilations=(1, 2)),
    )
    export_diffusers.write_diffusers(fitting_bundle(configs), tmp_path / "own")
    again = load_any(tmp_path / "own").card.configs
    kept = ("text_heads", "layer_norm_eps")
    assert (again.unet, again.vae, again.schedule, again.vocoder) == (
        configs.unet,
        configs.vae,
        configs.schedule,
        configs.vocoder,
    )
    assert all(getattr(again.clap, name) == getattr(configs.clap, name) for name in kept)


def test_all_that_does_not_fit_is_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as refusal:
        export_model(store.STARTER_FOLDER, Layout.ORIGINAL, tmp_path / "starter.ckpt")
    assert all(
        part in refusal.value.message for part in ("inverse-STFT", "noisiest", "unet norms", "vae norms")
    )
    assert refusal.value.message.count(".ckpt") == 0 and refusal.value.message.endswith(".")


def test_a_model_without_ears_fits_diffusers_alone(saved: Path, tmp_path: Path) -> None:
    export_model(saved, Layout.DIFFUSERS, tmp_path / "deaf")
    deaf = load_any(tmp_path / "deaf")
    with pytest.raises(SpecError, match="without audio tower"):
        export_original.write_original(deaf, tmp_path / "deaf.ckpt")
    export_diffusers.write_diffusers(deaf, tmp_path / "again")
    assert_same_tensors(load_any(tmp_path / "again").clap.model, deaf.clap.model)


def test_another_spelling_of_the_same_upsampling_fits(tmp_path: Path) -> None:
    same = replace(FITTING, vocoder=HifiGanConfig(channels=32, rates=(4, 4, 2, 5), kernels=(8, 8, 4, 10)))
    even = with_vocoder(same, rates=(10, 4, 4), kernels=(20, 8, 8), exact_upsampling=True)
    bundle = fitting_bundle(even)
    export_diffusers.write_diffusers(bundle, tmp_path / "even")
    again = load_any(tmp_path / "even")
    mel_BTM = torch.randn(1, 4, 64, generator=torch.Generator().manual_seed(0))
    assert torch.equal(again.vocoder(mel_BTM), bundle.vocoder(mel_BTM))


def test_nothing_is_replaced_unless_asked_for(saved: Path, layout: Layout, tmp_path: Path) -> None:
    into = tmp_path / name_of(layout)
    export_model(saved, layout, into)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    with pytest.raises(SpecError, match="there already") as refusal:
        export_model(saved, layout, into)
    assert "--force" in refusal.value.hint
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    export_model(saved, layout, into, force=True)
    load_any(into)
    assert list(tmp_path.iterdir()) == [into]


@pytest.mark.parametrize("kind", ["folder", "bundle", "link"])
def test_what_is_no_export_is_not_replaced_even_when_asked_for(
    saved: Path, layout: Layout, tmp_path: Path, kind: str
) -> None:
    into = tmp_path / name_of(layout)
    if kind == "bundle":
        save_bundle(into, load_bundle(saved))
    elif kind == "link":
        into.symlink_to(saved)
    else:
        (into / "thesis").mkdir(parents=True)
    with pytest.raises(SpecError, match="stays as it is"):
        export_model(saved, layout, into, force=True)
    assert into.exists() and list(tmp_path.iterdir()) == [into]


def test_a_name_that_reads_as_another_kind_is_refused(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="safetensors") as refusal:
        export_model(saved, Layout.ORIGINAL, tmp_path / "own.safetensors")
    assert ".ckpt" in refusal.value.hint


def test_a_write_that_breaks_off_leaves_what_was_there(saved: Path, layout: Layout, tmp_path: Path) -> None:
    into = tmp_path / name_of(layout)
    export_model(saved, layout, into)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    with files_of_at_most(1_000_000), pytest.raises(OutputError, match=name_of(layout)):
        export_model(saved, layout, into, force=True)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_a_full_disk_is_told(
    bundle: Bundle, layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    into = tmp_path / name_of(layout)
    if layout is Layout.ORIGINAL:
        full = Path("/dev/full")
        monkeypatch.setattr(export_original, "replacing_file", lambda path: nullcontext(full))
    else:
        monkeypatch.setattr(safetensors.torch, "save_file", raising(OSError(errno.ENOSPC, "full")))
    write = export_original.write_original if layout is Layout.ORIGINAL else export_diffusers.write_diffusers
    with pytest.raises(DiskFull, match="no room") as refusal:
        write(bundle, into)
    assert "--into" in refusal.value.hint
    assert list(tmp_path.iterdir()) == []


def raising(error: Exception) -> Callable[..., None]:
    def fail(*args: object) -> None:
        raise error

    return fail


def test_too_little_room_is_told_before_anything_is_written(
    saved: Path, layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = files.shutil._ntuple_diskusage(10**12, 10**12, 1_000_000)
    monkeypatch.setattr(files.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(DiskFull, match="0.0 GB free"):
        export_model(saved, layout, tmp_path / name_of(layout))
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_bundle_is_not_exported(saved: Path, layout: Layout, tmp_path: Path) -> None:
    folder = tmp_path / "damaged"
    save_bundle(folder, load_bundle(saved))
    weights = bytearray((folder / "vae.safetensors").read_bytes())
    weights[-1] ^= 1
    (folder / "vae.safetensors").write_bytes(weights)
    with pytest.raises(ModelCorrupt, match="checksum"):
        export_model(folder, layout, tmp_path / name_of(layout))
    assert list(tmp_path.iterdir()) == [folder]


def test_a_note_that_is_no_card_is_refused_by_the_name_of_its_file(
    exported: Path, layout: Layout, tmp_path: Path
) -> None:
    note = json.dumps({"schema_version": 1, "name": "own"})
    if layout is Layout.ORIGINAL:
        content = torch.load(exported, weights_only=True)
        torch.save(content | {CARD_KEY: note}, tmp_path / "own.ckpt")
        with pytest.raises(ModelCorrupt, match=r"own\.ckpt is not a usable model card"):
            load_any(tmp_path / "own.ckpt")
        torch.save(content | {TOKENIZER_KEY: "{}"}, tmp_path / "own.ckpt")
        with pytest.raises(ModelCorrupt, match=r"own\.ckpt is not a usable tokenizer"):
            load_any(tmp_path / "own.ckpt")
    else:
        files.shutil.copytree(exported, tmp_path / "own")
        (tmp_path / "own" / NOTE_FILE).write_text(note)
        with pytest.raises(ModelCorrupt, match=rf"{NOTE_FILE} is not a usable model card"):
            load_any(tmp_path / "own")


def test_a_job_exports_an_installed_model_or_a_bundle_by_its_folder(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(store.ENVIRONMENT_VARIABLE, str(tmp_path / "models"))
    save_bundle(tmp_path / "models" / "mine", debug_bundle())
    request = {"action": "export", "layout": "diffusers", "into": str(tmp_path / "out")}
    told: list[object] = []
    done = run_models(request | {"name": str(saved), "path": str(saved)}, told.append)
    assert done["path"] == str(tmp_path / "out") and done["left_out"] and told
    with pytest.raises(SpecError, match="debug does not fit"):
        run_models(request | {"name": "mine", "path": str(saved), "into": str(tmp_path / "b")}, told.append)
    with pytest.raises(ModelMissing, match="no model nobody"):
        run_models(
            request | {"name": "nobody", "path": str(tmp_path), "into": str(tmp_path / "b")}, told.append
        )
    with pytest.raises(BadJson, match="layout"):
        run_models(request | {"name": "mine", "path": "x", "layout": "flat"}, told.append)
