"""daw-bridge recall: how a file was made, told by the file, and made again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from daw_bridge.client.jobs import Client
from daw_bridge.display import JobDisplay, say, show_takes, shown_path
from daw_bridge.messages.service import AudioRecall, AudioRecallDone
from daw_bridge.option_types import Number
from daw_bridge.recalling import threads_of, varied
from daw_bridge.spec_options import whole_path
from engine.errors import SpecError
from engine.spec_json import spec_from_dict, spec_to_dict
from engine.types import MAX_TAKES, RenderSpec

_FOUND = {
    "same": "unchanged since then",
    "changed": "changed since then: rendering gives something else",
    "missing": "no longer there",
}
_SAID_APART = ("task", "prompt", "region", "model", "schema_version", "takes", "batch", "row")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the spec as JSON and nothing else.")
@click.option("--render", "again", is_flag=True, help="Render the take again.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("out"),
    show_default=True,
    help="The folder for what is rendered.",
)
@click.option(
    "--vary",
    type=Number(min=0, max=1),
    default=None,
    metavar="AMOUNT",
    help="Render variations of the take instead: 0 is the take itself, 1 has nothing of it.",
)
@click.option("--takes", type=click.IntRange(1, MAX_TAKES), default=1, show_default=True, help="How many.")
@click.option(
    "--source",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where its source lies now, if it was moved.",
)
def recall(
    file: Path,
    as_json: bool,
    again: bool,
    out: Path,
    vary: float | None,
    takes: int,
    source: Path | None,
) -> None:
    """Tell how FILE was made, from what it says inside; with --render or --vary make it again.

    The same source and model give the same audio, bit for bit. Where another program has removed the recipe
    from the file, the .json beside it will do. Where source or model have changed, the file that --render
    writes is named so.

    Example: daw-bridge recall out/loop-transfer-church-bells_1.wav --vary 0.3 --takes 4
    """
    is_varied = vary is not None
    if as_json and (again or is_varied):
        raise SpecError("--json does not go together with --render and --vary")
    if takes > 1 and not vary:
        raise SpecError("--takes does not go without --vary above 0", "More of one take are all the same.")
    with Client() as client:
        found: AudioRecallDone = client.ask(
            AudioRecall(rid="-", path=whole_path(file), source=whole_path(source) if source else "")
        )
        spec = spec_from_dict(found.spec)
        for line in _json(spec) if as_json else _told(file, spec, found):
            say(line)
        if again or is_varied:
            title = "varied" if vary else "again" if _is_as_it_was(found) else "changed"
            with JobDisplay(title) as display:
                wanted = varied(spec, vary, takes) if vary else spec
                stem, threads = f"{file.stem}-{title}", threads_of(found.details)
                show_takes(client.render(wanted, out, stem, display.show, threads=threads))


def _is_as_it_was(found: AudioRecallDone) -> bool:
    return "changed" not in (found.source, found.model)


def _json(spec: RenderSpec) -> Iterator[str]:
    yield json.dumps(spec_to_dict(spec), indent=2, ensure_ascii=False)


def _told(file: Path, spec: RenderSpec, found: AudioRecallDone) -> Iterator[str]:
    details = found.details
    where = " (told by the .json beside it)" if found.place == "sidecar" else ""
    yield f"{file.name}: AI generated{where}"
    yield from _line("made", f"{details.get('made_at', '')} {_software(details)}".strip())
    yield from _line("task", spec.task.value)
    yield from _line("prompt", spec.prompt)
    yield from _line("source", _source(spec, found))
    yield from _line("model", _with_finding(spec.model, found.model))
    for name, value in _settings(spec).items():
        yield from _line(name, value)


def _line(name: str, value: str) -> Iterator[str]:
    if value:
        yield f"  {name:<16} {value}"


def _software(details: Mapping[str, Any]) -> str:
    return str(details.get("generator", "")).partition(";")[0]


def _source(spec: RenderSpec, found: AudioRecallDone) -> str:
    region = spec.region
    if region is None or not spec.task.needs_region:
        return ""
    span = "" if region.span is None else f", {region.span.start_s:g} to {region.span.end_s:g} s"
    return _with_finding(f"{shown_path(region.path)}{span}", found.source)


def _with_finding(text: str, finding: str) -> str:
    return f"{text} ({_FOUND[finding]})" if finding in _FOUND else text


def _settings(spec: RenderSpec) -> dict[str, str]:
    """Return what else was chosen, one line each."""
    left_out = _SAID_APART if spec.variation else (*_SAID_APART, "variation", "variation_seed")
    values = {name: value for name, value in spec_to_dict(spec).items() if name not in left_out}
    sampler: Any = values.pop("sampler", {})
    chosen = {**values, "sampler": sampler.pop("name", ""), **sampler}
    return {name: _short(value) for name, value in chosen.items() if value not in (None, "", [], ())}


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 300 else f"{text[:300]}... (see --json)"
