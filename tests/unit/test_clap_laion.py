from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
import transformers
from torch import Tensor

from engine.errors import ModelCorrupt, ModelMissing
from engine.models.clap import ClapConfig, build_clap_model
from engine.models.clap_laion import clap_state_from_laion, infer_clap_config, laion_part, load_laion_clap

KEYMAP = Path(__file__).parents[1] / "golden" / "keymaps" / "clap_laion_to_hf_tiny.tsv"
# As deep as the real tower, so that the keymap fits it, but narrow.
NARROW = ClapConfig(
    text_hidden=128,
    text_layers=12,
    text_heads=2,
    text_ffn=16,
    vocabulary=20,
    max_positions=12,
    patch_embeds_hidden=4,
    heads=(1, 2, 2, 4),
    projection=8,
)
# Of parts that the transformers network does not have: STFT kernels, mel filters, two MLPs of two layers.
FRONT_END_PARAMETERS = 2 * 513 * 1024 + 513 * 64
TRANSFORM_PARAMETERS = 2 * 2 * (512 * 512 + 512)


def keymap_rows() -> list[tuple[str, str, str]]:
    lines = KEYMAP.read_text().splitlines()
    return [(source, rows, target) for source, rows, target in (line.split("\t") for line in lines)]


def part_of(value: Tensor, rows: str) -> Tensor:
    if not rows:
        return value
    return value.chunk(3)[int(rows.removeprefix("rows[")[0])]


def laion_state_of(model: transformers.ClapModel) -> dict[str, Tensor]:
    """Undo the keymap row by row; leftovers get a stand-in of one number."""
    state, parts = model.state_dict(), defaultdict(list)
    for source, _, target in keymap_rows():
        parts[source].append(state.get(target, torch.zeros(1)))
    return {name: torch.cat(values) if len(values) > 1 else values[0] for name, values in parts.items()}


@pytest.fixture(scope="module")
def narrow() -> transformers.ClapModel:
    torch.manual_seed(0)
    model = build_clap_model(NARROW)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return model


def saved(state: Mapping[str, Tensor], folder: Path, prefix: str = "module.") -> Path:
    path = folder / "clap.pt"
    torch.save({"epoch": 3, "state_dict": {prefix + name: value for name, value in state.items()}}, path)
    return path


def test_every_row_of_the_keymap_is_followed() -> None:
    rows = keymap_rows()
    sources = {source: torch.arange(6.0) + 10 * i for i, (source, _, _) in enumerate(rows)}
    mapped = clap_state_from_laion(sources)
    with torch.device("meta"):
        known = build_clap_model(ClapConfig.laion_tiny()).state_dict()
    followed = [row for row in rows if row[2] in known]
    assert len(mapped) == len(followed)
    for source, part, target in followed:
        assert torch.equal(mapped[target], part_of(sources[source], part))


@pytest.mark.parametrize("prefix", ["", "module.", "cond_stage_model.model.", "cond_stage_models.0.model."])
def test_a_checkpoint_in_any_wrapping_becomes_the_network_it_came_from(
    narrow: transformers.ClapModel, tmp_path: Path, prefix: str
) -> None:
    state = laion_state_of(narrow) | {"text_branch.embeddings.position_ids": torch.arange(12)[None]}
    model = load_laion_clap(saved(state, tmp_path, prefix))
    for name, value in narrow.state_dict().items():
        assert torch.equal(model.state_dict()[name], value), name


def test_other_parts_of_a_wrapped_checkpoint_are_left_out(narrow: transformers.ClapModel) -> None:
    state = laion_state_of(narrow)
    wrapped = {"cond_stage_model.model." + name: value for name, value in state.items()}
    assert laion_part(wrapped | {"betas": torch.zeros(3)}, "x").keys() == state.keys()


def test_sizes_are_read_off_the_shapes(narrow: transformers.ClapModel) -> None:
    assert infer_clap_config(laion_state_of(narrow), "x") == NARROW


@pytest.mark.parametrize("config", [ClapConfig.laion_tiny(), ClapConfig.laion_base()])
def test_the_two_released_sizes_are_told_apart(config: ClapConfig) -> None:
    with torch.device("meta"):
        state = build_clap_model(config).state_dict()
    renamed = {
        f"audio_branch.layers.{i}.blocks.{j}.attn.relative_position_bias_table": state[
            f"audio_model.audio_encoder.layers.{i}.blocks.{j}.attention.self.relative_position_bias_table"
        ]
        for i, depth in enumerate(config.depths)
        for j in range(depth)
    }
    with torch.device("meta"):
        rest = laion_state_of(build_clap_model(ClapConfig.laion_tiny()))
    patches = state["audio_model.audio_encoder.patch_embed.proj.weight"]
    assert (
        infer_clap_config(rest | renamed | {"audio_branch.patch_embed.proj.weight": patches}, "x") == config
    )


@pytest.mark.parametrize(
    ("config", "total"),
    [(ClapConfig.laion_tiny(), 158_334_169), (ClapConfig.laion_base(), 199_564_633)],
)
def test_parameters_add_up_to_the_original_count(config: ClapConfig, total: int) -> None:
    with torch.device("meta"):
        model = build_clap_model(config)
    tagging_head = config.audio_hidden * 527 * 6 + 527 + 527 * 527 + 527
    ours = sum(parameter.numel() for parameter in model.parameters())
    assert ours + FRONT_END_PARAMETERS + TRANSFORM_PARAMETERS + tagging_head == total


def without(state: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key: value for key, value in state.items() if key != name}


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("audio_branch.norm.weight", "audio_model.audio_encoder.norm.weight"),
        ("text_projection.0.bias", "text_projection.linear1.bias"),
        ("text_branch.pooler.dense.bias", "text_model.pooler.dense.bias"),
    ],
)
def test_a_missing_tensor_is_named_with_its_file(
    narrow: transformers.ClapModel, tmp_path: Path, name: str, ours: str
) -> None:
    with pytest.raises(ModelCorrupt, match=rf"clap\.pt lacks {ours}\."):
        load_laion_clap(saved(without(laion_state_of(narrow), name), tmp_path))


@pytest.mark.parametrize(
    "name",
    [
        "text_branch.embeddings.word_embeddings.weight",
        "audio_branch.patch_embed.proj.weight",
        "audio_branch.bn0.weight",
    ],
)
def test_without_a_tensor_that_tells_the_sizes_the_file_is_refused(
    narrow: transformers.ClapModel, tmp_path: Path, name: str
) -> None:
    with pytest.raises(ModelCorrupt, match=rf"clap\.pt .*{name}"):
        load_laion_clap(saved(without(laion_state_of(narrow), name), tmp_path))


def test_a_tensor_of_another_network_is_named(narrow: transformers.ClapModel, tmp_path: Path) -> None:
    state = laion_state_of(narrow) | {"audio_branch.patch_embed.mel_conv2d.weight": torch.zeros(1)}
    with pytest.raises(ModelCorrupt, match=r"clap\.pt has unknown .*mel_conv2d") as caught:
        load_laion_clap(saved(state, tmp_path))
    assert "fusion" in caught.value.hint


def test_a_wrong_shape_is_named(narrow: transformers.ClapModel, tmp_path: Path) -> None:
    state = laion_state_of(narrow) | {"audio_branch.norm.weight": torch.zeros(5)}
    with pytest.raises(ModelCorrupt, match="wrong shape for .*norm.weight"):
        load_laion_clap(saved(state, tmp_path))


def test_a_long_list_of_names_is_shortened(narrow: transformers.ClapModel, tmp_path: Path) -> None:
    extra = {f"audio_branch.more.{i}": torch.zeros(1) for i in range(9)}
    with pytest.raises(ModelCorrupt, match="and 6 more"):
        load_laion_clap(saved(laion_state_of(narrow) | extra, tmp_path))


def test_code_in_a_pickle_is_not_run(tmp_path: Path) -> None:
    path = tmp_path / "unsafe.pt"
    torch.save({"state_dict": {"x": dataclasses.replace}}, path)
    with pytest.raises(ModelCorrupt, match="unsafe.pt"):
        load_laion_clap(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not a zip", b"\x80\x02 nor a pickle"])
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.pt"
    path.write_bytes(content)
    with pytest.raises(ModelCorrupt, match="broken.pt"):
        load_laion_clap(path)


@pytest.mark.parametrize("content", [[1, 2], {"state_dict": {}}, {"a": torch.zeros(1)}, {"state_dict": None}])
def test_a_checkpoint_of_something_else_is_refused(tmp_path: Path, content: object) -> None:
    path = tmp_path / "other.pt"
    torch.save(content, path)
    with pytest.raises(ModelCorrupt, match="other.pt holds no (LAION CLAP|named weights)"):
        load_laion_clap(path)


def test_no_file_is_a_missing_model(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="none.pt"):
        load_laion_clap(tmp_path / "none.pt")
