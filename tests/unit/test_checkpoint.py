"""Released layouts and their traps, on narrow models and on full-size names without memory."""

from __future__ import annotations

import os
import pickle
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from engine.errors import ModelCorrupt, ModelMissing, SpecError
from engine.models.bundle import Bundle, save_bundle
from engine.models.checkpoint import load_any
from engine.models.companions import Companions, folded, plain_name
from engine.models.diffusers_folder import WEIGHT_FILES
from engine.models.diffusers_folder import unet_config as diffusers_unet_config
from engine.models.hifigan import HifiGan, HifiGanConfig
from engine.models.original import squashed
from engine.models.shapes import (
    explained,
    hifigan_config,
    mel_config,
    schedule_config,
    unet_config,
    vae_config,
)
from engine.models.unet import UNet, UNetConfig
from engine.models.vae import VaeConfig
from tests.unit.checkpoints import (
    EMA_SHIFT,
    NARROW,
    SCALE_FACTOR,
    laion_state,
    narrow_bundle,
    original_state,
    training_state,
    write_diffusers,
    write_original,
    write_tokenizer,
)
from tests.unit.networks import on_meta

KEYMAPS = Path(__file__).parents[1] / "golden" / "keymaps"


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return narrow_bundle()


@pytest.fixture(scope="module")
def state(bundle: Bundle) -> dict[str, Tensor]:
    return original_state(bundle)


@pytest.fixture(scope="module")
def original(state: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_original(tmp_path_factory.mktemp("original"), state)


@pytest.fixture(scope="module")
def diffusers(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_diffusers(tmp_path_factory.mktemp("diffusers") / "narrow", bundle)


def assert_same_weights(network: nn.Module, wanted: nn.Module, shift: float = 0.0) -> None:
    given = network.state_dict()
    for name, tensor in wanted.state_dict().items():
        assert torch.equal(given[name], tensor + shift if shift else tensor), name


def assert_same_model(loaded: Bundle, wanted: Bundle) -> None:
    assert_same_weights(loaded.vae, wanted.vae)
    assert_same_weights(loaded.vocoder, wanted.vocoder)
    torch.testing.assert_close(loaded.clap.embed_text(["a dog"]), wanted.clap.embed_text(["a dog"]))
    assert loaded.scale_factor == pytest.approx(SCALE_FACTOR, rel=1e-7)


@pytest.mark.parametrize(("weights", "shift"), [("ema", EMA_SHIFT), ("live", 0.0)])
def test_an_original_checkpoint_gives_the_averaged_or_the_live_unet(
    bundle: Bundle, original: Path, weights: str, shift: float
) -> None:
    loaded = load_any(original, weights=weights)
    assert_same_weights(loaded.unet, bundle.unet, shift)
    assert_same_model(loaded, bundle)
    audio_BS = torch.sin(torch.arange(16_000) / 20.0)[None]
    torch.testing.assert_close(
        loaded.clap.embed_audio(audio_BS, 16_000), bundle.clap.embed_audio(audio_BS, 16_000)
    )
    assert loaded.card.configs == NARROW
    assert loaded.card.provenance["weights"] == weights


def test_loaded_networks_are_ready_to_evaluate_in_float32(state: dict[str, Tensor], tmp_path: Path) -> None:
    half = {name: t.half() if t.is_floating_point() else t for name, t in state.items()}
    half |= {name: state[name] for name in ("betas", "scale_factor")}
    loaded = load_any(write_original(tmp_path, half))
    for network in (loaded.unet, loaded.vae, loaded.vocoder, loaded.clap.model):
        assert not any(module.training for module in network.modules())
        assert {(p.dtype, p.requires_grad) for p in network.parameters()} == {(torch.float32, False)}


def test_without_an_average_the_live_weights_are_used_and_the_card_says_so(
    bundle: Bundle, state: dict[str, Tensor], tmp_path: Path
) -> None:
    live = {name: tensor for name, tensor in state.items() if not name.startswith("model_ema.")}
    loaded = load_any(write_original(tmp_path, live), weights="ema")
    assert_same_weights(loaded.unet, bundle.unet)
    assert loaded.card.provenance["weights"] == "live"


def test_the_training_codes_layout_conditions_on_its_own_clap_and_ignores_losses(
    bundle: Bundle, tmp_path: Path
) -> None:
    loaded = load_any(write_original(tmp_path, training_state(bundle)))
    assert_same_model(loaded, bundle)


def test_compiled_names_lose_their_prefix(bundle: Bundle, state: dict[str, Tensor], tmp_path: Path) -> None:
    compiled = {
        name.replace("vocoder.", "vocoder._orig_mod.").replace(
            "diffusion_model.", "diffusion_model._orig_mod."
        ): t
        for name, t in state.items()
    }
    assert_same_model(load_any(write_original(tmp_path, compiled)), bundle)


@pytest.mark.parametrize("layer", [nn.Conv1d(4, 6, 3), nn.ConvTranspose1d(4, 6, 3)])
@pytest.mark.parametrize("legacy", [False, True])
def test_weight_norm_folds_to_the_weight_that_torch_computes(layer: nn.Module, legacy: bool) -> None:
    normed = weight_norm(type(layer)(4, 6, 3))
    with torch.no_grad():
        normed.parametrizations.weight.original0.mul_(1.7)
    stored = {f"ups.0.{name}": tensor for name, tensor in normed.state_dict().items()}
    if legacy:
        names = {
            "parametrizations.weight.original0": "weight_g",
            "parametrizations.weight.original1": "weight_v",
        }
        stored = {
            name.replace(old, new): t
            for name, t in stored.items()
            for old, new in names.items()
            if old in name
        }
    plain = folded(stored)
    torch.testing.assert_close(plain["ups.0.weight"], normed.weight.detach())
    assert not any("original" in name or name.endswith(("_g", "_v")) for name in plain)


def test_a_separate_vocoder_beside_a_checkpoint_without_one_is_used(
    bundle: Bundle, state: dict[str, Tensor], tmp_path: Path
) -> None:
    path = write_original(tmp_path, {name: t for name, t in state.items() if ".vocoder." not in name})
    with pytest.raises(ModelMissing, match="hifigan_16k_64bins.ckpt"):
        load_any(path)
    torch.save({"generator": bundle.vocoder.state_dict()}, tmp_path / "hifigan_16k_64bins.ckpt")
    assert_same_model(load_any(path), bundle)


@pytest.mark.parametrize("safe", [True, False])
@pytest.mark.parametrize("old_attention", [True, False])
def test_a_diffusers_folder_gives_the_same_model(
    bundle: Bundle, tmp_path: Path, safe: bool, old_attention: bool
) -> None:
    loaded = load_any(write_diffusers(tmp_path / "narrow", bundle, safe, old_attention))
    assert_same_weights(loaded.unet, bundle.unet)
    assert_same_model(loaded, bundle)
    assert loaded.unet.config == NARROW.unet


def test_eight_heads_are_taken_only_when_asked_for(diffusers: Path, bundle: Bundle) -> None:
    x_BCHW, t_B, condition_BE = torch.randn(1, 8, 8, 16), torch.tensor([500.0]), torch.randn(1, 16)
    trained = load_any(diffusers).unet
    compatible = load_any(diffusers, diffusers_compatible=True).unet
    assert [trained.config.heads_at(1), compatible.config.heads_at(1)] == [2, 8]
    wanted_BCHW = bundle.unet(x_BCHW, t_B, condition_BE)
    torch.testing.assert_close(trained(x_BCHW, t_B, condition_BE), wanted_BCHW)
    assert not torch.allclose(compatible(x_BCHW, t_B, condition_BE), wanted_BCHW, atol=1e-3)


@pytest.mark.parametrize(
    ("stated", "levels", "head_channels", "heads"),
    [
        (8, (1, 2), 32, None),
        ([4, 8, 12], (1, 2), 32, None),
        ([0, 4, 6], (1, 2), 64, None),
        ([7, 8, 8], (1, 2), 32, 8),
        ([8, 8, 8], (0, 1, 2), 32, 8),
    ],
)
def test_a_list_of_heads_is_believed_on_the_levels_that_attend(
    stated: object, levels: tuple[int, ...], head_channels: int, heads: int | None
) -> None:
    config = diffusers_unet_config(unet_values(attention_head_dim=stated, levels=levels, norm_num_groups=16))
    assert (config.head_channels, config.heads, config.norm_groups) == (head_channels, heads, 16)


@pytest.mark.parametrize("stated", [[4, 8, 5], [0, 0, 0], [4, 8], ["a", "b", "c"]])
def test_a_list_of_heads_without_a_rule_is_refused(stated: object) -> None:
    with pytest.raises(ModelCorrupt, match="unknown sizes"), explained("unet"):
        diffusers_unet_config(unet_values(attention_head_dim=stated))


def unet_values(levels: tuple[int, ...] = (1, 2), **more: object) -> dict[str, object]:
    return {
        "in_channels": 8,
        "out_channels": 8,
        "block_out_channels": [128, 256, 384],
        "layers_per_block": 2,
        "down_block_types": ["CrossAttnDownBlock2D" if n in levels else "DownBlock2D" for n in range(3)],
        "class_embed_type": "simple_projection",
        "class_embeddings_concat": True,
        "projection_class_embeddings_input_dim": 512,
        **more,
    }


def test_an_own_bundle_can_take_eight_heads_too_around_the_same_weights(
    tmp_path: Path, bundle: Bundle
) -> None:
    save_bundle(tmp_path / "own", bundle, dtype=torch.float32)
    compatible = load_any(tmp_path / "own", diffusers_compatible=True)
    assert compatible.unet.config.heads == compatible.card.configs.unet.heads == 8
    assert_same_weights(compatible.unet, bundle.unet)


def test_a_diffusers_folder_hears_only_with_a_laion_file(
    tmp_path: Path, bundle: Bundle, diffusers: Path
) -> None:
    audio_BS = torch.sin(torch.arange(16_000) / 20.0)[None]
    deaf = load_any(diffusers)
    with pytest.raises(ModelMissing, match="audio tower") as refusal:
        deaf.clap.embed_audio(audio_BS, 16_000)
    assert "--clap" in refusal.value.hint and not deaf.card.clap_hears
    torch.save(
        {"state_dict": {f"module.{k}": v for k, v in laion_state(bundle).items()}}, tmp_path / "clap.pt"
    )
    hearing = load_any(diffusers, companions=Companions(clap=tmp_path / "clap.pt"))
    torch.testing.assert_close(
        hearing.clap.embed_audio(audio_BS, 16_000), bundle.clap.embed_audio(audio_BS, 16_000)
    )


def test_without_a_tokenizer_the_message_says_where_to_put_it(
    original: Path, tmp_path: Path, bundle: Bundle
) -> None:
    path = tmp_path / "alone.ckpt"
    path.symlink_to(original)
    with pytest.raises(ModelMissing) as refusal:
        load_any(path)
    assert str(tmp_path / "tokenizer") in refusal.value.hint
    write_tokenizer(tmp_path / "elsewhere")
    loaded = load_any(path, companions=Companions(tokenizer=tmp_path / "elsewhere"))
    assert_same_model(loaded, bundle)


@pytest.mark.parametrize("component", ["unet", "vae", "vocoder", "text_encoder"])
@pytest.mark.parametrize("part", ["weights", "config"])
def test_an_absent_part_of_a_folder_is_named(
    tmp_path: Path, diffusers: Path, component: str, part: str
) -> None:
    folder = Path(shutil.copytree(diffusers, tmp_path / "narrow"))
    names = WEIGHT_FILES if part == "weights" else ("config.json",)
    for name in names:
        (folder / component / name).unlink(missing_ok=True)
    with pytest.raises(ModelMissing) as refusal:
        load_any(folder)
    assert str(folder / component) in refusal.value.message + refusal.value.hint


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("scale_factor"), "scale_factor"),
        (lambda s: s.pop("model_ema.diffusion_modelout2bias"), "model_ema.diffusion_modelout2bias"),
        (lambda s: s.pop("first_stage_model.decoder.norm_out.bias"), "decoder.norm_out.bias"),
        (lambda s: s.pop("model.diffusion_model.input_blocks.0.0.weight"), "input_blocks.0.0.weight"),
        (lambda s: s.update(betas=torch.linspace(0.0015, 0.0195, 1000)), "noise schedule"),
        (lambda s: s.update({"first_stage_model.encoder.extra.bias": torch.zeros(2)}), "encoder.extra.bias"),
        (lambda s: s.update({"first_stage_model.quant_conv.bias": torch.zeros(2)}), "quant_conv.bias"),
        (lambda s: s.update({"model_ema.diffusion_modelout2weight": torch.zeros(())}), "unknown sizes"),
    ],
)
def test_a_changed_checkpoint_is_refused_by_the_name_of_what_is_wrong(
    state: dict[str, Tensor],
    tmp_path: Path,
    change: Callable[[dict[str, Tensor]], object],
    message: str,
) -> None:
    changed = dict(state)
    change(changed)
    with pytest.raises(ModelCorrupt, match=message):
        load_any(write_original(tmp_path, changed))


class _Runs:
    """A pickle of this writes a file when it is read without care."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("form", ["zip", "legacy", "bare"])
def test_a_pickle_that_wants_to_run_code_is_refused_and_does_not_run(tmp_path: Path, form: str) -> None:
    target, path = tmp_path / "ran", tmp_path / "model.ckpt"
    content = {"state_dict": {"model.diffusion_model.out.2.bias": _Runs(target)}}
    if form == "bare":
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=form == "zip")
    with pytest.raises(ModelCorrupt, match="nothing of it ran|Nothing of it ran"):
        load_any(path)
    assert not target.exists()
    pickle.loads(pickle.dumps(content))
    assert target.exists(), "the pickle would have run, had it been read as one"


@pytest.mark.parametrize("kept", [0, 10, 0.5, 0.999])
@pytest.mark.parametrize("form", ["zip", "legacy", "safetensors"])
def test_a_truncated_file_is_refused(tmp_path: Path, kept: float, form: str) -> None:
    state = {f"model.diffusion_model.{index}": torch.ones(50, 50) for index in range(4)}
    path = tmp_path / ("model.safetensors" if form == "safetensors" else "model.ckpt")
    if form == "safetensors":
        save_file(state, path)
    else:
        torch.save({"state_dict": state}, path, _use_new_zipfile_serialization=form == "zip")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole)) if kept < 1 else kept])
    with pytest.raises(ModelCorrupt, match="incomplete|damaged"):
        load_any(path)


@pytest.mark.parametrize(
    "content", [b"<html>not found</html>", bytes(range(256)) * 40, b'{"a": 1}', b"\x80\x02."]
)
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.ckpt"
    path.write_bytes(content)
    with pytest.raises(ModelCorrupt):
        load_any(path)


def test_other_models_are_refused_by_kind(tmp_path: Path, bundle: Bundle, diffusers: Path) -> None:
    vocoder = tmp_path / "vocoder.ckpt"
    torch.save({"generator": bundle.vocoder.state_dict()}, vocoder)
    with pytest.raises(ModelCorrupt, match="no AudioLDM"):
        load_any(vocoder)
    folder = Path(shutil.copytree(diffusers, tmp_path / "narrow"))
    (folder / "model_index.json").write_text('{"_class_name": "AudioLDM2Pipeline"}')
    with pytest.raises(ModelCorrupt, match="AudioLDM2Pipeline"):
        load_any(folder)
    with pytest.raises(ModelMissing):
        load_any(tmp_path / "absent")
    with pytest.raises(ModelMissing):
        load_any(tmp_path / "narrow" / "vae")
    with pytest.raises(SpecError, match="ema"):
        load_any(vocoder, weights="best")


def golden_state(name: str, prefix: str) -> dict[str, Tensor]:
    """Return a released checkpoint's weights without memory, below a prefix."""
    rows = [line.split("\t") for line in (KEYMAPS / f"{name}.tsv").read_text().splitlines()]
    shapes = {row[0].removeprefix(prefix): [int(size) for size in row[2].split("x")] for row in rows}
    return {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}


def test_the_released_small_models_sizes_are_read_off_its_shapes() -> None:
    assert unet_config(golden_state("unet_small", "model.diffusion_model.")) == UNetConfig.small()
    assert vae_config(golden_state("vae", "first_stage_model.")) == VaeConfig()
    vocoder = hifigan_config(golden_state("vocoder", "first_stage_model.vocoder."))
    assert vocoder == HifiGanConfig()
    assert mel_config(vocoder).sample_rate_hz == 16_000


@pytest.mark.parametrize("config", [UNetConfig.small(), UNetConfig.medium(), UNetConfig.large()])
def test_width_and_heads_of_every_released_size_are_inferred(config: UNetConfig) -> None:
    assert unet_config(on_meta(lambda: UNet(config)).state_dict()) == config


def test_the_released_48_khz_vocoder_is_recognised() -> None:
    config = hifigan_config(on_meta(lambda: HifiGan(HifiGanConfig.released_48k())).state_dict())
    assert config == HifiGanConfig.released_48k()
    assert mel_config(config).sample_rate_hz == 48_000


def test_no_two_weights_are_averaged_under_one_name() -> None:
    names = golden_state("unet_small", "model.diffusion_model.")
    assert len({squashed(name) for name in names}) == len(names) == 690
    assert squashed("input_blocks.0.0.weight") == "diffusion_modelinput_blocks00weight"


def test_the_schedule_is_read_off_its_betas() -> None:
    roots = torch.linspace(0.0015**0.5, 0.0195**0.5, 1000, dtype=torch.float64)
    config = schedule_config(roots.square().float())
    assert (config.steps, config.start, config.end) == (1000, 0.0015, 0.0195)


@pytest.mark.skipif(sys.platform != "linux", reason="reads the process's memory map as Linux gives it")
def test_weights_stay_in_the_file_instead_of_being_copied(original: Path) -> None:
    loaded = load_any(original)
    lines = [
        line.split() for line in Path("/proc/self/maps").read_text().splitlines() if str(original) in line
    ]
    spans = [tuple(int(end, 16) for end in line[0].split("-")) for line in lines]
    parameters = [*loaded.unet.parameters(), *loaded.vae.parameters(), *loaded.vocoder.parameters()]
    mapped = [any(low <= p.data_ptr() < high for low, high in spans) for p in parameters]
    assert all(mapped)


@pytest.mark.parametrize(
    ("text", "name"),
    [("audioldm s/full", "audioldm-s-full"), ("..", "model"), ("ä" * 3, "model"), ("a.b", "a.b")],
)
def test_names_become_plain(text: str, name: str) -> None:
    assert plain_name(text) == name
