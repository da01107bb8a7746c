"""The released AudioLDM models: where they are, how large, and under which licence."""

from __future__ import annotations

from dataclasses import dataclass

LICENCE = "CC-BY-NC-SA-4.0"
# All that were released are of one rate.
SAMPLE_RATE_HZ = 16_000


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginalFile:
    """A checkpoint of the authors; size and checksum are absent where nobody published them."""

    record: int
    file: str
    size_bytes: int | None = None
    sha256: str | None = None

    @property
    def url(self) -> str:
        return f"https://zenodo.org/records/{self.record}/files/{self.file}"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownModel:
    """A model that can be pulled from the hub, or imported from its original file.

    The hub's conversions lack CLAP's audio tower, so they rank no takes; the originals have it.
    download_bytes is what the hub's files take, about.
    """

    name: str
    original: OriginalFile
    repo: str | None = None
    download_bytes: int = 0
    licence: str = LICENCE


KNOWN_MODELS: dict[str, KnownModel] = {
    model.name: model
    for model in (
        KnownModel(
            name="audioldm-s-full",
            repo="cvssp/audioldm",
            download_bytes=1_690_000_000,
            original=OriginalFile(
                record=7600541,
                file="audioldm-s-full",
                size_bytes=2_558_947_469,
                sha256="8f8d1923410622be823279b61967d27a2df3fd03ddd764afb298e7c20ef8877d",
            ),
        ),
        KnownModel(
            name="audioldm-s-full-v2",
            repo="cvssp/audioldm-s-full-v2",
            download_bytes=1_690_000_000,
            original=OriginalFile(record=7698295, file="audioldm-full-s-v2.ckpt"),
        ),
        KnownModel(
            name="audioldm-m-full",
            repo="cvssp/audioldm-m-full",
            download_bytes=2_610_000_000,
            original=OriginalFile(
                record=7813012,
                file="audioldm-m-full.ckpt",
                size_bytes=4_571_683_377,
                sha256="936914a388905e1fc179c148a41a2b1552dba322ce474160b1cfa0f01ac26f8f",
            ),
        ),
        KnownModel(
            name="audioldm-l-full",
            repo="cvssp/audioldm-l-full",
            download_bytes=3_910_000_000,
            original=OriginalFile(record=7698295, file="audioldm-full-l.ckpt"),
        ),
        KnownModel(
            name="audioldm-m-text-ft",
            original=OriginalFile(
                record=7813012,
                file="audioldm-m-text-ft.ckpt",
                size_bytes=4_571_676_474,
                sha256="d77d5a61785af82012edb8a72158d52592ac7c76d7f6ed51a048ec2dec8d5eca",
            ),
        ),
        KnownModel(
            name="audioldm-s-text-ft",
            original=OriginalFile(
                record=7813012,
                file="audioldm-s-text-ft.ckpt",
                size_bytes=2_558_980_807,
                sha256="62075af09973ab50f158b213acc60347a330737c1d827c5dead61af60bfea706",
            ),
        ),
    )
}


def known_by_size(size_bytes: int) -> KnownModel | None:
    """Return the model whose original file has exactly this size."""
    found = (model for model in KNOWN_MODELS.values() if model.original.size_bytes == size_bytes)
    return next(found, None)
