"""What is tried of a transfer, what is measured of each try, and the file that keeps it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from engine.errors import SpecError
from engine.types import SamplerSpec

# Not edits: the source itself, the source through VAE and vocoder, another pair's source of its kind.
UNTOUCHED, ROUND_TRIP, UNRELATED = "untouched", "round trip", "unrelated"
REFERENCES = (UNTOUCHED, ROUND_TRIP, UNRELATED)
KEEPS = ("pitch", "rhythm", "level")
_DIGITS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """How sounds are transferred, but for the strength; way is an editor's name or one of REFERENCES.

    keep is a part of KEEPS, joined by plus signs; described tells the editor what the source is.
    """

    way: str
    steps: int = 0
    guidance: float = 0.0
    keep: str = ""
    described: bool = False

    @property
    def label(self) -> str:
        steps = f"{self.steps} step{'' if self.steps == 1 else 's'}"
        told = self.way if self.way in REFERENCES else f"{self.way}, {steps}"
        guided = f", guidance {self.guidance:g}" if self.guidance not in {0.0, SamplerSpec().guidance} else ""
        kept = f", keeping {self.keep.replace('+', ', ')}" if self.keep else ""
        return told + guided + kept + (", source described" if self.described else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A setup at one strength."""

    setup: Setup
    strength: float

    @property
    def file_stem(self) -> str:
        guidance = f" g{self.setup.guidance:g}"
        return f"{self.setup.label.replace(', ', ' ')}{guidance} s{self.strength:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One edit, measured against its source and target.

    clap_* are cosines of CLAP embeddings to the prompt and to the source, layers the distance of its layers
    to the source's. judged_* are the probabilities that the judge gives the two concepts, None without one.
    seconds is the whole edit, sampling_s what its sampler took.
    """

    pair: str
    kind: str
    target: str
    way: str
    strength: float
    steps: int
    guidance: float
    keep: str
    described: bool
    clap_target: float
    clap_source: float
    layers: float
    chroma: float
    chroma_transposed: float
    transposition: int
    onset_f: float
    source_onsets: int
    onsets: int
    level: float
    change_db: float
    judged_target: float | None
    judged_source: float | None
    seconds: float
    sampling_s: float

    @property
    def trial(self) -> Trial:
        setup = Setup(
            way=self.way,
            steps=self.steps,
            guidance=self.guidance,
            keep=self.keep,
            described=self.described,
        )
        return Trial(setup=setup, strength=self.strength)

    @property
    def key(self) -> tuple[str, Trial]:
        return self.pair, self.trial


COLUMNS = tuple(field.name for field in fields(Row))
_TEXT, _WHOLE = (
    {"pair", "kind", "target", "way", "keep"},
    {"steps", "transposition", "source_onsets", "onsets"},
)


class RowFile:
    """Rows as CSV: one line each, appended when it is measured."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def rows(self) -> list[Row]:
        """Return the rows, the last of each trial of a pair, none where there is no file.

        A last line that was cut short is removed.

        Raises:
            SpecError: the file has other columns.
        """
        if not self.path.is_file():
            return []
        text = self.path.read_text(encoding="utf-8")
        whole = text[: text.rfind("\n") + 1]
        if whole != text:
            self.path.write_text(whole, encoding="utf-8")
        reader = csv.DictReader(whole.splitlines())
        if tuple(reader.fieldnames or COLUMNS) != COLUMNS:
            raise SpecError(
                f"{self.path} has other columns than this version writes.", "Name another folder with --out."
            )
        return list({row.key: row for row in map(_row, reader)}.values())

    def append(self, rows: Iterable[Row]) -> None:
        """Add rows at the end, with the names of the columns first."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        empty = not self.path.is_file() or self.path.stat().st_size == 0
        with self.path.open("a", encoding="utf-8", newline="") as file:
            file.write(as_csv(rows, names=empty))


def as_csv(rows: Iterable[Row], *, names: bool = True) -> str:
    """Return a line for each row, after one of the columns' names."""
    file = io.StringIO()
    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    if names:
        writer.writeheader()
    writer.writerows({name: _text(value) for name, value in asdict(row).items()} for row in rows)
    return file.getvalue()


def of_setup(rows: Sequence[Row], setup: Setup) -> dict[float, list[Row]]:
    """Return a setup's rows by rising strength."""
    own = [row for row in rows if row.trial.setup == setup]
    return {strength: [row for row in own if row.strength == strength] for strength in _strengths(own)}


def _strengths(rows: Sequence[Row]) -> list[float]:
    return sorted({row.strength for row in rows})


def _text(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.{_DIGITS}g}" if isinstance(value, float) else str(value)


def _row(line: Mapping[str, str]) -> Row:
    return Row(**{name: _value(name, text) for name, text in line.items()})  # type: ignore[arg-type]


def _value(name: str, text: str) -> object:
    if name in _TEXT:
        return text
    if name == "described":
        return text == "True"
    if name in _WHOLE:
        return int(text)
    return float(text) if text else None
