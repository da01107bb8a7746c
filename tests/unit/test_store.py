"""Installing models: import, pull over real HTTP, verify, remove, list."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import huggingface_hub.constants
import pytest
import torch
from huggingface_hub import constants

from engine.errors import Cancelled, DiskFull, ModelCorrupt, ModelMissing, SpecError
from engine.models import files, store
from engine.models.bundle import Bundle, debug_bundle, load_bundle, save_bundle
from engine.models.card import CARD_FILE, read_card
from engine.models.companions import Companions
from engine.models.known import KNOWN_MODELS, KnownModel, OriginalFile
from tests.unit.checkpoints import narrow_bundle, original_state, write_diffusers, write_original
from tests.unit.fake_hub import FakeHub, serving

UNET_FILE = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return narrow_bundle()


@pytest.fixture(scope="module")
def original(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_original(tmp_path_factory.mktemp("original"), original_state(bundle))


@pytest.fixture(scope="module")
def repository(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_diffusers(tmp_path_factory.mktemp("hub") / "narrow", bundle)
    tokenizer = bundle.tokenizer
    tokenizer.model.save(str(folder / "tokenizer"))
    (folder / "README.md").write_text("# not needed")
    shutil.copy(folder / UNET_FILE, folder / "unet" / "diffusion_pytorch_model.bin")
    return folder


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(store.ENVIRONMENT_VARIABLE, str(tmp_path / "models"))
    return tmp_path / "models"


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> KnownModel:
    """Offer a model that only the fake hub has; the hub's client may talk, to the loopback interface."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    model = KnownModel(
        name="narrow", repo="someone/narrow", original=OriginalFile(record=1, file="narrow.ckpt")
    )
    monkeypatch.setitem(KNOWN_MODELS, "narrow", model)
    return model


@pytest.fixture
def installed(models: Path) -> Path:
    save_bundle(models / "debug", debug_bundle())
    return models / "debug"


def entry(name: str) -> store.ModelEntry:
    return next(entry for entry in store.list_models() if entry.name == name)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_starter_is_always_listed_first_and_every_known_model_is_offered(models: Path) -> None:
    entries = store.list_models()
    assert (entries[0].name, entries[0].installed) == ("starter", True)
    offered = {entry.name for entry in entries if not entry.installed}
    assert offered == set(KNOWN_MODELS)
    assert {entry.licence for entry in entries if not entry.installed} == {"CC-BY-NC-SA-4.0"}


def test_an_original_checkpoint_is_installed_as_a_bundle(
    original: Path, models: Path, bundle: Bundle
) -> None:
    done = store.import_model(original, store.ImportOptions(weights="live", full_precision=True))
    assert (done.name, done.installed, done.hears, done.problem) == ("narrow", True, True, "")
    loaded = load_bundle(store.model_folder("narrow"))
    for ours, theirs in zip(loaded.unet.parameters(), bundle.unet.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    assert names_in(models) == ["narrow"]
    assert store.verify_model("narrow") == entry("narrow") == done


def test_an_import_in_half_precision_takes_half_the_disk(original: Path, models: Path) -> None:
    half = store.import_model(original, store.ImportOptions(name="half"))
    full = store.import_model(original, store.ImportOptions(name="full", full_precision=True))
    assert half.size_bytes < 0.7 * full.size_bytes


def test_a_failed_import_leaves_what_was_installed(original: Path, models: Path, tmp_path: Path) -> None:
    store.import_model(original)
    before = read_card(models / "narrow")
    broken = tmp_path / "narrow.ckpt"
    broken.write_bytes(original.read_bytes()[:-100])
    with pytest.raises(ModelCorrupt):
        store.import_model(broken)
    assert read_card(models / "narrow") == before
    assert names_in(models) == ["narrow"]


def test_a_flipped_bit_within_a_checkpoint_is_found_at_import(
    original: Path, models: Path, tmp_path: Path
) -> None:
    content = bytearray(original.read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "flipped.ckpt").write_bytes(content)
    with pytest.raises(ModelCorrupt, match="damaged"):
        store.import_model(tmp_path / "flipped.ckpt")


@pytest.mark.parametrize("genuine", [True, False])
def test_a_released_file_is_recognised_by_size_and_checked_by_checksum(
    original: Path, models: Path, monkeypatch: pytest.MonkeyPatch, genuine: bool
) -> None:
    digest = files.sha256_of(original) if genuine else "0" * 64
    released = OriginalFile(record=1, file="narrow.ckpt", size_bytes=original.stat().st_size, sha256=digest)
    monkeypatch.setitem(
        KNOWN_MODELS, "audioldm-x", KnownModel(name="audioldm-x", licence="CC-BY-4.0", original=released)
    )
    if genuine:
        done = store.import_model(original)
        assert (done.name, done.licence) == ("audioldm-x", "CC-BY-4.0")
    else:
        with pytest.raises(ModelCorrupt, match="another checksum"):
            store.import_model(original)


def test_a_checkpoint_uses_the_tokenizer_of_an_installed_model(
    original: Path, models: Path, tmp_path: Path
) -> None:
    alone = tmp_path / "alone.ckpt"
    alone.symlink_to(original)
    with pytest.raises(ModelMissing, match="tokenizer"):
        store.import_model(alone)
    store.import_model(original, store.ImportOptions(name="audioldm-s-full"))
    assert store.import_model(alone).name == "alone"
    given = store.ImportOptions(companions=Companions(tokenizer=original.parent / "tokenizer"))
    assert store.import_model(alone, given).name == "alone"


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden", "starter", "/abs", "a\\b"])
def test_names_cannot_leave_the_folder_nor_replace_the_starter(
    original: Path, models: Path, name: str
) -> None:
    with pytest.raises(SpecError):
        store.import_model(
            original, store.ImportOptions(name=name) if name else store.ImportOptions(name=" ")
        )
    with pytest.raises((SpecError, ModelMissing)):
        store.remove_model(name)
    assert not models.exists() or names_in(models) == []


def test_removing_deletes_the_model_and_only_it(installed: Path, models: Path) -> None:
    shutil.copytree(installed, models / "other")
    assert store.remove_model("debug").name == "debug"
    assert names_in(models) == ["other"]
    with pytest.raises(ModelMissing, match="debug"):
        store.remove_model("debug")


def test_removing_a_link_keeps_what_it_points_to(installed: Path, models: Path, tmp_path: Path) -> None:
    elsewhere = Path(shutil.move(installed, tmp_path / "elsewhere"))
    (models / "linked").symlink_to(elsewhere)
    store.remove_model("linked")
    assert (elsewhere / CARD_FILE).is_file() and names_in(models) == []


def test_a_broken_model_is_listed_with_its_problem(installed: Path) -> None:
    (installed / "unet.safetensors").unlink()
    assert "unet.safetensors" in entry("debug").problem
    (installed / CARD_FILE).write_text("{}")
    assert "name is missing" in entry("debug").problem
    with pytest.raises(ModelCorrupt):
        store.verify_model("debug")


def test_verifying_finds_one_flipped_bit(installed: Path) -> None:
    content = bytearray((installed / "vae.safetensors").read_bytes())
    content[-1] ^= 1
    (installed / "vae.safetensors").write_bytes(content)
    with pytest.raises(ModelCorrupt, match="vae.safetensors"):
        store.verify_model("debug")


def test_asking_for_an_absent_model_says_how_to_get_it(installed: Path) -> None:
    with pytest.raises(ModelMissing) as known:
        store.model_folder("audioldm-s-full")
    assert "pull audioldm-s-full" in known.value.hint
    with pytest.raises(ModelMissing, match="debug"):
        store.model_folder("nonsense")


def test_no_room_is_told_before_an_import_writes(
    original: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(original)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(DiskFull, match="GB"):
        store.import_model(original)
    assert names_in(models) == []


def test_a_pull_takes_only_what_is_needed_and_installs_it(
    repository: Path, models: Path, known: KnownModel, bundle: Bundle
) -> None:
    with serving(FakeHub(folder=repository, repo="someone/narrow")) as hub:
        done = store.pull_model("narrow", store.ImportOptions(full_precision=True), hub.endpoint)
    fetched = {name for name, _ in hub.ranges}
    assert UNET_FILE in fetched
    assert not fetched & {"README.md", "unet/diffusion_pytorch_model.bin"}
    assert (done.name, done.licence, done.hears) == ("narrow", "CC-BY-NC-SA-4.0", False)
    for ours, theirs in zip(
        load_bundle(models / "narrow").unet.parameters(), bundle.unet.parameters(), strict=True
    ):
        assert torch.equal(ours, theirs)
    assert not (models / store.DOWNLOADS / "narrow").exists()


@pytest.mark.expects_log
def test_an_interrupted_pull_goes_on_where_it_stopped(
    repository: Path, models: Path, known: KnownModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "DOWNLOAD_CHUNK_SIZE", 1000)
    size = (repository / UNET_FILE).stat().st_size
    with serving(FakeHub(folder=repository, repo="someone/narrow")) as hub:
        # The client tries a few times by itself; each attempt is cut without a byte more.
        hub.cut_after[UNET_FILE] = [100_000] + [0] * 20
        with pytest.raises(ModelMissing, match="could not be downloaded") as refusal:
            store.pull_model("narrow", endpoint=hub.endpoint)
        assert "kept" in refusal.value.hint and not (models / "narrow").exists()
        hub.cut_after.clear()
        hub.ranges.clear()
        assert store.pull_model("narrow", endpoint=hub.endpoint).problem == ""
    assert (UNET_FILE, "bytes=100000-") in hub.ranges
    assert size > 200_000
    assert "unet/config.json" not in {name for name, _ in hub.ranges}


def test_a_cancelled_pull_keeps_what_has_arrived_and_goes_on_with_it(
    repository: Path, models: Path, known: KnownModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_half_there() -> bool:
        parts = (models / store.DOWNLOADS).rglob("*model*.incomplete")
        return any(part.stat().st_size for part in parts)

    with serving(FakeHub(folder=repository, repo="someone/narrow")) as hub:
        with pytest.raises(Cancelled):
            store.pull_model("narrow", endpoint=hub.endpoint, cancelled=is_half_there)
        (part,) = (models / store.DOWNLOADS).rglob("*model*.incomplete")
        kept_bytes = part.stat().st_size
        (entry,) = (one for one in store.list_models() if one.name == "narrow")
        assert not entry.installed and entry.can_pull
        assert entry.present_bytes >= kept_bytes >= constants.DOWNLOAD_CHUNK_SIZE
        hub.ranges.clear()
        assert store.pull_model("narrow", endpoint=hub.endpoint).problem == ""
    assert (UNET_FILE, f"bytes={kept_bytes}-") in hub.ranges
    assert store.list_models()[1].sample_rate_hz == 16_000


def test_a_wrong_checksum_is_refused_and_the_file_removed(
    repository: Path, models: Path, known: KnownModel
) -> None:
    hub = FakeHub(folder=repository, repo="someone/narrow", digests={UNET_FILE: "f" * 64})
    with serving(hub):
        with pytest.raises(ModelCorrupt, match=UNET_FILE):
            store.pull_model("narrow", endpoint=hub.endpoint)
        assert list((models / store.DOWNLOADS / "narrow" / "unet").glob("*model*")) == []
        assert not (models / "narrow").exists()
        hub.digests.clear()
        assert store.pull_model("narrow", endpoint=hub.endpoint).problem == ""


def test_without_network_the_message_says_which_files_to_put_where(models: Path, known: KnownModel) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(ModelMissing) as refusal:
            store.pull_model("narrow", endpoint=endpoint)
    folder = models / store.DOWNLOADS / "narrow"
    assert all(part in refusal.value.hint for part in ("someone/narrow", str(folder), "models import"))


def test_what_was_put_by_hand_can_be_imported(repository: Path, models: Path, known: KnownModel) -> None:
    folder = Path(shutil.copytree(repository, models / store.DOWNLOADS / "narrow"))
    assert store.import_model(folder, store.ImportOptions(name="narrow")).problem == ""


def test_no_room_is_told_before_a_pull_writes(
    repository: Path, models: Path, known: KnownModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(repository)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with serving(FakeHub(folder=repository, repo="someone/narrow")) as hub:
        with pytest.raises(DiskFull):
            store.pull_model("narrow", endpoint=hub.endpoint)
        assert hub.ranges == []


def test_what_the_hub_does_not_have_is_explained(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelMissing, match="not a known model"):
        store.pull_model("nonsense")
    with pytest.raises(ModelMissing) as refusal:
        store.pull_model("audioldm-s-text-ft")
    assert "zenodo.org/records/7813012" in refusal.value.hint


def test_the_default_folder_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(store.ENVIRONMENT_VARIABLE, raising=False)
    monkeypatch.delenv(store.HOME_VARIABLE, raising=False)
    assert store.models_folder().is_absolute() and store.models_folder().name == "models"


def test_models_move_with_everything_else_unless_they_have_a_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(store.ENVIRONMENT_VARIABLE, raising=False)
    monkeypatch.setenv(store.HOME_VARIABLE, str(tmp_path / "home"))
    assert store.models_folder() == tmp_path / "home" / "models"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(store.HOME_VARIABLE, "home")
    assert store.models_folder() == tmp_path / "home" / "models"
    monkeypatch.setenv(store.ENVIRONMENT_VARIABLE, str(tmp_path / "big"))
    assert store.models_folder() == tmp_path / "big"
