"""What DAW Bridge does in Live: wishes in, jobs asked for, takes placed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .door import Wish
from .jobs import Job, Jobs, Request, Take
from .placing import Placed, can_place, place, place_new
from .refusal import Refusal
from .regions import Source, marked_clips, prompt_in, selected_clip, source_of
from .service import Service

if TYPE_CHECKING:
    from .door import Reply
    from .placing import NewMarker

_NEW_S = 4.0
_VARY = 0.3
_VARY_TAKES = 3
_LOOK_THERE = (
    "This version of Live lets scripts load no audio here: drag the takes from its browser, "
    "User Library, Samples, DAW Bridge."
)


class Bridge:
    """The deeds behind the door's wishes; nothing here waits."""

    def __init__(
        self,
        song: Any,
        service: Service,
        jobs: Jobs,
        library: str,
        show: Callable[[str], None],
        new_marker: NewMarker,
    ) -> None:
        self._song = song
        self._service = service
        self._jobs = jobs
        self._library = library
        self._show = show
        self._new_marker = new_marker
        self._verbs: dict[str, Callable[[Wish, Reply], None]] = {
            "transfer": self._change,
            "inpaint": self._change,
            "superres": self._change,
            "generate": self._generate,
            "vary": self._vary,
            "marked": self._marked,
            "cancel": self._cancel,
            "status": self._status,
        }

    def handle(self, wish: Wish, reply: Reply) -> None:
        """Do what is wished, and tell whoever wished it, and the user, what became of it."""
        try:
            deed = self._verbs.get(wish.verb)
            if deed is None:
                raise Refusal(
                    f"{wish.verb} is nothing that DAW Bridge does.",
                    f"It does: {', '.join(self._verbs)}.",
                    "bad_address",
                )
            deed(wish, reply)
        except Refusal as refusal:
            self._tell(refusal, reply)

    def _change(self, wish: Wish, reply: Reply) -> None:
        self._send(wish, source_of(selected_clip(self._song)), reply)

    def _marked(self, wish: Wish, reply: Reply) -> None:
        """Transfer all clips with a prompt in their names; where one is refused the others go on."""
        clips = marked_clips(self._song)
        reply("clips", [len(clips)])
        for clip in clips:
            try:
                self._send(
                    Wish("transfer", {**wish.values, "prompt": prompt_in(clip.name)}), source_of(clip), reply
                )
            except Refusal as refusal:
                self._tell(refusal, reply)

    def _send(self, wish: Wish, source: Source, reply: Reply) -> None:
        def ask(values: dict[str, Any]) -> None:
            request = _changed(wish.verb, values, source, self._where(source), self._song.tempo)
            self._render(request, values, source, reply)

        wish = wish._replace(values=_with_prompt(wish.values, source.clip.name))
        self._with_strength(wish, ask, reply)

    def _with_strength(self, wish: Wish, then: Callable[[dict[str, Any]], None], reply: Reply) -> None:
        """Go on with a strength, the service's own where none is wished; only a transfer has one."""
        if wish.verb != "transfer" or "strength" in wish.values:
            then(wish.values)
            return

        def answered(answer: tuple[Any, ...]) -> None:
            then({**wish.values, "strength": float(answer[1])})

        self._service.ask("param/get", ["strength"], answered, lambda refusal: self._tell(refusal, reply))

    def _render(self, request: Request, values: dict[str, Any], source: Source, reply: Reply) -> None:
        def arrived(takes: list[Take]) -> None:
            try:
                if can_place(self._song, source):
                    placed = place(
                        self._song,
                        source,
                        str(values.get("prompt") or _words(source)),
                        takes,
                        self._new_marker,
                    )
                    self._placed(placed, takes, reply)
                else:
                    self._kept(takes, reply)
            except Refusal as refusal:
                self._tell(refusal, reply)

        self._start(request, arrived, reply)

    def _generate(self, wish: Wish, reply: Reply) -> None:
        slot = self._song.view.highlighted_clip_slot
        if slot is None or slot.has_clip:
            raise Refusal(
                "No empty slot is selected.", "Click an empty slot of an audio track in the Session."
            )
        values = _with_prompt(wish.values, "")
        args = [
            str(values.get("prompt", "")),
            float(values.get("seconds", _NEW_S)),
            json.dumps(values.get("options", {})),
        ]
        request = Request("generate", tuple(args))

        def arrived(takes: list[Take]) -> None:
            try:
                self._placed(place_new(self._song, slot, str(values.get("prompt", "")), takes), takes, reply)
            except Refusal as refusal:
                self._tell(refusal, reply)

        self._start(request, arrived, reply)

    def _vary(self, wish: Wish, reply: Reply) -> None:
        source = source_of(selected_clip(self._song))
        amount, takes = float(wish.values.get("vary", _VARY)), int(wish.values.get("takes", _VARY_TAKES))
        request = Request("recall", (source.path, amount, takes, "", 0, "", self._where(source)))
        self._render(request, {}, source, reply)

    def _cancel(self, wish: Wish, reply: Reply) -> None:
        count = self._jobs.cancel_all()
        reply("done", [f"{count} jobs cancelled"])

    def _status(self, wish: Wish, reply: Reply) -> None:
        reply("done", [f"{self._jobs.count} jobs"])

    def _start(self, request: Request, arrived: Callable[[list[Take]], None], reply: Reply) -> None:
        def go_on(fraction: float, state: str) -> None:
            self._show(f"DAW Bridge: {state}, {round(100 * fraction)} %")
            reply("progress", [float(fraction), state])

        self._show("DAW Bridge: asked for takes.")
        reply("asked", [request.address])
        self._jobs.add(Job(request, arrived, lambda refusal: self._tell(refusal, reply), go_on))

    def _placed(self, placed: Placed, takes: list[Take], reply: Reply) -> None:
        dry = [take.note for take in takes if take.note]
        told = " ".join([f"{placed.takes} takes in {placed.where}.", *placed.notes, *dry])
        self._show("DAW Bridge: " + told)
        reply("done", [told] + [take.path for take in takes])

    def _kept(self, takes: list[Take], reply: Reply) -> None:
        told = _LOOK_THERE
        self._show("DAW Bridge: " + told)
        reply("done", [told] + [take.path for take in takes])

    def _tell(self, refusal: Refusal, reply: Reply) -> None:
        self._show(f"DAW Bridge: {refusal}")
        reply("fail", [refusal.code, refusal.message, refusal.hint])

    def _where(self, source: Source) -> str:
        """Return the folder for takes; empty is the service's own."""
        return "" if can_place(self._song, source) else self._library


def _with_prompt(values: dict[str, Any], clip_name: str) -> dict[str, Any]:
    """Return the wishes with the prompt of the clip's name where they have none themselves."""
    prompt = values.get("prompt") or prompt_in(clip_name)
    # Without one the service takes its own, /ldm/1/param/prompt.
    return {**values, "prompt": prompt}


def _changed(verb: str, values: dict[str, Any], source: Source, folder: str, tempo_bpm: float) -> Request:
    options = dict(values.get("options", {}))
    anchor: dict[str, Any] = {"track": source.track.name, "tempo_bpm": tempo_bpm}
    if source.position_beats is not None:
        anchor["position_s"] = source.position_beats * 60.0 / tempo_bpm
    options["region"] = {"span": {"start_s": source.start_s, "end_s": source.end_s}, "anchor": anchor}
    last = [json.dumps(options), 0, "", folder, ""]
    if verb == "superres":
        return Request(verb, (source.path, *last))
    if verb == "inpaint":
        mask = values.get("mask")
        if mask is None:
            raise Refusal(
                "What is to be filled anew is not said.",
                'Send a mask, for example {"mask": {"shapes": ...}}.',
                "bad_args",
            )
        return Request(verb, (source.path, values["prompt"], json.dumps(mask), *last))
    return Request(verb, (source.path, values["prompt"], float(values["strength"]), *last))


def _words(source: Source) -> str:
    return Path(source.path).stem
