"""The control surface of Live in the model of Live's interface: what it sends, and where it puts takes."""

from __future__ import annotations

import ast
import importlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from daw_bridge.daws.live.scripts.remote_script.DAW_Bridge import osc as script_osc
from daw_bridge.daws.live.scripts.remote_script.DAW_Bridge import placing, regions, warping
from daw_bridge.daws.live.scripts.remote_script.DAW_Bridge.bridge import Bridge
from daw_bridge.daws.live.scripts.remote_script.DAW_Bridge.door import Door, Wish, read_wish
from daw_bridge.daws.live.scripts.remote_script.DAW_Bridge.jobs import Jobs, Take
from daw_bridge.daws.live.scripts.remote_script.DAW_Bridge.refusal import Refusal
from daw_bridge.transport.framing import FrameDecoder, Framing, encode_frame
from daw_bridge.transport.packets import decode_packet, encode_packet
from tests.hosts.live import lom, stubs
from tests.hosts.live.lom import LiveSet

SCRIPT = Path(regions.__file__).parent
RATE_HZ = 48_000
LENGTH_S = 4.0
TAKES = [(0.71, 7), (0.5, 8)]

Asked = list[tuple[str, list[Any]]]


class StandingService:
    """Answers as the service would give them; the real one is in the end-to-end tests."""

    def __init__(self, takes: list[Take]) -> None:
        self.asked: Asked = []
        self.takes = takes
        self.fail: Refusal | None = None

    def ask(
        self, request: str, args: Any, on_answer: Callable[..., None], on_refusal: Callable[..., None]
    ) -> None:
        self.asked.append((request, list(args)))
        if self.fail is not None and request != "param/get":
            on_refusal(self.fail)
            return
        told = {"state": "finished", "takes": [{**take._asdict(), "dry": ""} for take in self.takes]}
        answers = {
            "param/get": ("strength", 0.6),
            "job/info": (json.dumps(told),),
            "cancel": (1,),
        }
        on_answer(answers.get(request, ("job-1", 0, 1.0)))


class Session:
    """A set with one track, and a bridge that works in it."""

    def __init__(self, folder: Path, **version: Any) -> None:
        self.live = LiveSet(**version)
        self.song = self.live.song
        self.song._model.scene_count = 3
        self.track = self.song.create_audio_track(-1)
        self.track.name = "Guitar"
        self.file = _written(folder / "riff.wav", LENGTH_S)
        takes = [
            Take(_written(folder / f"take {seed}.wav", LENGTH_S), seed, score, "") for score, seed in TAKES
        ]
        self.service = StandingService(takes)
        self.jobs = Jobs(self.service)  # type: ignore[arg-type]
        self.replies: list[tuple[str, list[Any]]] = []
        self.shown: list[str] = []
        self.bridge = Bridge(
            self.song,
            self.service,
            self.jobs,
            "user_library",
            self.shown.append,
            self.live.new_marker,  # type: ignore[arg-type]
        )
        self.live.undo_steps.clear()

    def clip(self, position_beats: float | None = None, *, name: str = "riff", warping: bool = False) -> Any:
        owner = self.track._model if position_beats is not None else self.track.clip_slots[0]._model
        clip = lom.loaded(owner, self.track._model, self.file, position_beats)
        clip._model.warping = warping
        clip._model.name = name
        if position_beats is None:
            owner.clip = clip
        else:
            owner.arrangement_clips.append(clip)
        self.song.view._model.detail_clip = clip
        return clip

    def do(self, verb: str, **values: Any) -> None:
        self.bridge.handle(Wish(verb, values), lambda kind, args: self.replies.append((kind, args)))
        self.jobs.tick()

    @property
    def last(self) -> tuple[str, list[Any]]:
        return self.replies[-1]

    def sent(self, request: str) -> list[Any]:
        return next(args for asked, args in self.service.asked if asked == request)


@pytest.fixture
def make(tmp_path: Path) -> Any:
    made: list[Session] = []

    def new(**version: Any) -> Session:
        made.append(Session(tmp_path, **version))
        return made[-1]

    yield new
    assert [fault for one in made for fault in one.live.faults] == []


def _written(path: Path, length_s: float) -> str:
    soundfile.write(path, np.zeros(round(length_s * RATE_HZ)), RATE_HZ, subtype="PCM_16")
    return str(path)


def test_takes_of_a_session_clip_come_into_the_next_empty_slots_in_one_undo_step(make: Any) -> None:
    session = make()
    session.clip(name="riff > a harp")
    before = [slot.clip for slot in session.track.clip_slots]
    session.do("transfer")
    path, prompt, strength, options, *_ = session.sent("transfer")
    assert (path, prompt, strength) == (session.file, "a harp", 0.6)
    assert json.loads(options)["region"] == {
        "span": {"start_s": 0.0, "end_s": LENGTH_S},
        "anchor": {"track": "Guitar", "tempo_bpm": 120.0},
    }
    placed = [slot.clip for slot in session.track.clip_slots][1:]
    assert [clip.name for clip in placed] == ["a harp 0.71 seed 7", "a harp 0.50 seed 8"]
    assert session.last[0] == "done"
    assert len(session.live.undo_steps) == 1
    session.live.undo()
    assert [slot.clip for slot in session.track.clip_slots] == before


def test_scenes_are_added_where_slots_are_too_few(make: Any) -> None:
    session = make()
    session.clip()
    for slot in session.track.clip_slots[1:]:
        slot._model.clip = lom.loaded(slot._model, session.track._model, session.file, None)
    session.do("transfer", prompt="a harp")
    assert [slot.clip.name for slot in session.track.clip_slots[3:]] == [
        "a harp 0.71 seed 7",
        "a harp 0.50 seed 8",
    ]
    session.live.undo()
    assert len(session.track.clip_slots) == 3


def test_takes_of_an_arrangement_clip_lie_on_lanes_at_its_very_beat(make: Any) -> None:
    session = make()
    original = session.clip(position_beats=24.5)
    session.do("transfer", prompt="a harp", strength=0.3)
    *_, options, _, _, folder, _ = session.sent("transfer")
    assert json.loads(options)["region"]["anchor"] == {
        "track": "Guitar",
        "tempo_bpm": 120.0,
        "position_s": 12.25,
    }
    assert folder == ""
    lanes = session.track.take_lanes
    assert [[clip.start_time for clip in lane.arrangement_clips] for lane in lanes] == [[24.5], [24.5]]
    assert [lane.name for lane in lanes] == [
        "DAW Bridge: a harp 0.71 seed 7",
        "DAW Bridge: a harp 0.50 seed 8",
    ]
    assert list(session.track.arrangement_clips) == [original]
    session.live.undo()
    assert session.track.take_lanes == []


def test_lanes_of_ours_are_used_again_where_they_are_free(make: Any) -> None:
    session = make()
    session.clip(position_beats=0.0)
    session.do("transfer", prompt="a harp")
    session.clip(position_beats=32.0)
    session.do("transfer", prompt="a choir")
    assert [len(lane.arrangement_clips) for lane in session.track.take_lanes] == [2, 2]
    session.do("transfer", prompt="a gong")
    assert [len(lane.arrangement_clips) for lane in session.track.take_lanes] == [2, 2, 1, 1]


def test_without_take_lanes_new_tracks_leave_the_original_uncovered(make: Any) -> None:
    session = make(missing=["Track.create_take_lane", "Track.take_lanes"])
    original = session.clip(position_beats=8.0)
    session.do("transfer", prompt="a harp")
    assert [[clip.start_time for clip in track.arrangement_clips] for track in session.song.tracks] == [
        [8.0]
    ] * 3
    assert list(session.track.arrangement_clips) == [original]
    session.live.undo()
    assert len(session.song.tracks) == 1


def test_a_version_that_loads_no_audio_gets_the_takes_into_its_browser(make: Any) -> None:
    session = make(
        missing=["Track.create_audio_clip", "ClipSlot.create_audio_clip", "Track.create_take_lane"]
    )
    session.clip(position_beats=8.0)
    session.do("transfer", prompt="a harp")
    assert session.sent("transfer")[-2] == "user_library"
    kind, (_, told, *_) = session.last[0], ["", *session.last[1]]
    assert kind == "done"
    assert told.startswith("This version of Live lets scripts load no audio here")
    assert session.live.undo_steps == []


def test_gain_and_pitch_of_the_clip_are_those_of_its_takes(make: Any) -> None:
    session = make()
    clip = session.clip()
    clip.gain, clip.pitch_coarse, clip.pitch_fine = 0.7, -3, 12.0
    session.do("transfer", prompt="a harp")
    for slot in session.track.clip_slots[1:]:
        take = slot.clip
        assert (take.gain, take.pitch_coarse, take.pitch_fine, take.warping) == (0.7, -3, 12.0, False)


@pytest.mark.parametrize("markers_in_samples", [False, True])
def test_takes_are_stretched_as_their_source_is(make: Any, *, markers_in_samples: bool) -> None:
    session = make(markers_in_samples=markers_in_samples)
    clip = session.clip(warping=True)
    clip._model.markers = [(0.0, 0.0), (1.0, 1.0), (2.0, 4.0), (4.0, 6.0)]
    clip._model.loop_start, clip._model.loop_end, clip._model.warp_mode = 0.5, 5.0, 4
    session.do("transfer", prompt="a harp")
    span = json.loads(session.sent("transfer")[3])["region"]["span"]
    assert span == {"start_s": pytest.approx(0.5), "end_s": pytest.approx(3.0)}
    take = session.track.clip_slots[1].clip
    assert (take.warping, take.warp_mode, take.looping) == (True, 4, False)
    assert (take.start_marker, take.end_marker) == (0.0, 4.5)
    for beat in np.linspace(0.0, 4.5, 19):
        heard = clip.beat_to_sample_time(0.5 + float(beat)) - clip.beat_to_sample_time(0.5)
        assert take.beat_to_sample_time(float(beat)) == pytest.approx(heard, abs=1e-6)


def test_a_loop_of_the_session_is_a_loop_again(make: Any) -> None:
    session = make()
    clip = session.clip(warping=True)
    clip._model.markers = [(0.0, 0.0), (4.0, 8.0)]
    clip._model.looping = True
    clip._model.start_marker, clip._model.loop_start, clip._model.loop_end = 1.0, 2.0, 6.0
    session.do("transfer", prompt="a harp")
    assert json.loads(session.sent("transfer")[3])["region"]["span"] == {"start_s": 0.5, "end_s": 3.0}
    take = session.track.clip_slots[1].clip
    assert (take.looping, take.start_marker, take.loop_start, take.loop_end) == (True, 0.0, 1.0, 5.0)


def test_what_live_does_with_warp_markers_otherwise_is_told(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = make()
    session.clip(warping=True)._model.markers = [(0.0, 0.0), (4.0, 6.0)]

    def refuse(*_: object) -> None:
        raise lom.LimitationError("no")

    monkeypatch.setattr(lom.ClipModel, "add_warp_marker", refuse)
    session.do("transfer", prompt="a harp")
    assert warping.NOT_STRETCHED in session.last[1][0]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"is_audio_clip": False}, "riff is a MIDI clip and has no audio."),
        ({"is_recording": True}, "riff is being recorded."),
        ({"file_path": ""}, "riff has no file yet."),
        ({"loop_end": 0.0}, "riff plays nothing of its file."),
    ],
)
def test_what_cannot_be_sent_is_refused_with_a_sentence(
    make: Any, change: dict[str, Any], sentence: str
) -> None:
    session = make()
    clip = session.clip()
    for name, value in change.items():
        setattr(clip._model, name, value)
    session.do("transfer", prompt="a harp")
    assert session.last[0] == "fail"
    assert session.last[1][1] == sentence
    assert sentence in session.shown[-1]
    assert session.service.asked == []


def test_a_loop_that_repeats_in_the_arrangement_is_refused(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = make()
    clip = session.clip(position_beats=0.0, warping=True)
    clip._model.looping = True
    monkeypatch.setattr(lom.ClipModel, "end_time", 64.0)
    session.do("transfer", prompt="a harp")
    assert session.last[1][1] == "riff repeats its loop in the Arrangement."


def test_a_frozen_track_says_where_the_takes_are(make: Any) -> None:
    session = make()
    session.clip()
    session.track._model.is_frozen = True
    session.do("transfer", prompt="a harp")
    code, message, hint = session.last[1]
    assert (code, message) == ("refused", "Live puts no clip there. It says: the track is frozen")
    assert session.service.takes[0].path in hint


def test_what_nobody_foresaw_ends_the_wait_too(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    session = make()
    session.clip()

    def fail(*_: object) -> None:
        raise TypeError("another Live")

    monkeypatch.setattr(lom.SlotModel, "create_audio_clip", fail)
    session.do("transfer", prompt="a harp")
    code, message, hint = session.last[1]
    assert (code, message) == ("refused", "Live did not take the takes: TypeError('another Live').")
    assert session.service.takes[1].path in hint
    assert session.jobs.count == 0


def test_nothing_selected_is_said(make: Any) -> None:
    session = make()
    session.do("transfer", prompt="a harp")
    assert session.last[1][1] == "No clip is selected."


def test_a_sound_is_made_for_the_chosen_empty_slot(make: Any) -> None:
    session = make()
    session.song.view._model.highlighted_clip_slot = session.track.clip_slots[1]
    session.do("generate", prompt="rain", seconds=2.0)
    assert session.sent("generate")[:2] == ["rain", 2.0]
    assert [slot.has_clip for slot in session.track.clip_slots] == [False, True, True]
    assert len(session.live.undo_steps) == 1
    session.do("generate", prompt="rain")
    assert session.last[1][1] == "No empty slot is selected."


def test_all_clips_with_a_prompt_in_their_names_are_sent(make: Any) -> None:
    session = make()
    session.clip(name="riff > a harp")
    session.clip(position_beats=4.0, name="fill > a gong")
    session.clip(position_beats=16.0, name="plain")
    session.do("marked")
    assert [args[1] for asked, args in session.service.asked if asked == "transfer"] == ["a harp", "a gong"]
    # Their takes have no prompt in their names: a second time sends the same clips alone.
    session.service.asked.clear()
    session.do("marked")
    assert len([1 for asked, _ in session.service.asked if asked == "transfer"]) == 2


def test_a_take_is_varied_by_its_own_recipe(make: Any) -> None:
    session = make()
    session.clip()
    session.do("vary", vary=0.2, takes=5)
    assert session.sent("recall")[:3] == [session.file, 0.2, 5]
    assert session.last[0] == "done"
    assert session.track.clip_slots[1].clip.name == "riff 0.71 seed 7"


def test_what_the_service_refuses_is_shown_as_it_says_it(make: Any) -> None:
    session = make()
    session.clip()
    session.service.fail = Refusal("the file is silent", "Choose another.", "silent_output")
    session.do("transfer", prompt="a harp")
    assert session.last == ("fail", ["silent_output", "the file is silent", "Choose another."])


def test_an_unknown_verb_is_answered_with_those_there_are(make: Any) -> None:
    session = make()
    session.do("transmogrify")
    code, _, hint = session.last[1]
    assert code == "bad_address"
    assert "transfer" in hint


def test_inpaint_needs_a_mask(make: Any) -> None:
    session = make()
    session.clip()
    session.do("inpaint", prompt="rain")
    assert session.last[1][0] == "bad_args"
    session.do("inpaint", prompt="rain", mask={"shapes": []})
    assert json.loads(session.sent("inpaint")[2]) == {"shapes": []}


@pytest.mark.parametrize(
    ("args", "wish"),
    [
        ([], Wish("transfer", {})),
        ([1], Wish("transfer", {})),
        ([1.0], Wish("transfer", {})),
        ([0], None),
        (["a harp"], Wish("transfer", {"prompt": "a harp"})),
        (["r1", '{"strength": 0.5}'], Wish("transfer", {"strength": 0.5})),
    ],
)
def test_buttons_texts_and_programs_ask_alike(args: list[Any], wish: Wish | None) -> None:
    assert read_wish(script_osc.encode("/daw_bridge/transfer", args))[1] == wish


def test_a_second_argument_that_is_no_object_is_refused() -> None:
    with pytest.raises(Refusal, match="no JSON object"):
        read_wish(script_osc.encode("/daw_bridge/transfer", ["r1", "[]"]))


def test_a_second_surface_says_that_the_port_is_taken() -> None:
    first = Door(lambda *_: None, 0)
    with pytest.raises(Refusal, match=f"Port {first.port} is taken"):
        Door(lambda *_: None, first.port)
    first.close()


values = st.lists(
    st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=20)
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(width=32, allow_nan=False),
    max_size=6,
)


@given(values)
def test_messages_are_those_of_the_service_both_ways(args: list[Any]) -> None:
    packet = script_osc.encode("/ldm/1/ping", args)
    (message,) = decode_packet(packet)
    # The service rounds floats to what they were written as.
    assert script_osc.encode(message.address, message.args) == packet
    assert list(script_osc.decode(encode_packet("/ldm/1/ping", args)).args) == args


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=5), st.integers(1, 9))
def test_frames_are_those_of_the_service_however_the_stream_is_cut(packets: list[bytes], step: int) -> None:
    stream = b"".join(encode_frame(packet, Framing.SLIP) for packet in packets)
    decoder = script_osc.FrameDecoder()
    heard = [one for at in range(0, len(stream), step) for one in decoder.feed(stream[at : at + step])]
    assert heard == packets
    own = b"".join(map(script_osc.framed, packets))
    assert FrameDecoder().feed(own) == packets


def test_the_script_is_one_for_python_3_7() -> None:
    for path in SCRIPT.glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 7))
        names = {
            (node.module or "").split(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and not node.level
        } | {
            name.name.split(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.Import)
            for name in node.names
        }
        assert names <= sys.stdlib_module_names, f"{path.name} needs more than Live's Python has: {names}"
        # What is not in an annotation is calculated, and such types only are from 3.9 on.
        for node in tree.body:
            text = ast.unparse(node) if isinstance(node, ast.Assign) else ""
            assert "[" not in text or "Callable" not in text, f"{path.name}: {text}"


LOADS_IT = """
import importlib, pathlib, sys, types
for name in sys.argv[2:]:
    importlib.import_module("DAW_Bridge." + name)
from DAW_Bridge.heart import Heart
shown = []
heart = Heart(pathlib.Path(sys.argv[1]), types.SimpleNamespace(), shown.append, shown.append, None, port=0)
assert heart.beat() and heart.port, shown
heart.stop()
assert not heart.beat()
"""


def pythons() -> list[str]:
    """Return this Python, and beside it that of Live 11 where it is installed."""
    older = shutil.which("python3.7")
    runs = (
        older is not None and not subprocess.run([older, "-V"], check=False, capture_output=True).returncode
    )
    return [sys.executable, *([older] if older and runs else [])]


@pytest.mark.parametrize("python", pythons())
def test_a_python_of_live_loads_all_of_it(tmp_path: Path, python: str) -> None:
    folder = tmp_path / "DAW_Bridge"
    shutil.copytree(SCRIPT, folder, ignore=shutil.ignore_patterns("__pycache__"))
    installed = {"command": ["daw-bridge"], "runtime": str(tmp_path), "user_library": "", "version": "1"}
    (folder / "installed.json").write_text(json.dumps(installed))
    names = [path.stem for path in SCRIPT.glob("*.py") if path.stem != "__init__"]
    command = [python, "-E", "-W", "error", "-c", LOADS_IT, str(folder), *names]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("is_method", [False, True])
def test_live_loads_the_script_as_a_control_surface(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_method: bool
) -> None:
    session = make()
    clock: list[Callable[[], None]] = []
    song_told = (lambda: session.song) if is_method else session.song

    class ControlSurface:
        def __init__(self, c_instance: object) -> None:
            self.c_instance = c_instance
            self.song = song_told

        def schedule_message(self, delay_in_ticks: int, callback: Callable[[], None]) -> None:
            clock.append(callback)

        def show_message(self, message: str) -> None:
            session.shown.append(message)

        def log_message(self, *message: str) -> None:
            session.shown.append(" ".join(message))

        def disconnect(self) -> None:
            clock.clear()

    folder = tmp_path / "User Library" / "DAW_Bridge"
    folder.mkdir(parents=True)
    for path in SCRIPT.glob("*.py"):
        (folder / path.name).write_bytes(path.read_bytes())
    installed = {"command": ["daw-bridge"], "runtime": str(tmp_path), "user_library": "", "version": "1"}
    (folder / "installed.json").write_text(json.dumps(installed))
    framework = type(sys)("ableton.v2.control_surface")
    framework.ControlSurface = ControlSurface  # type: ignore[attr-defined]
    live = type(sys)("Live")
    live.Clip = type("Clip", (), {"WarpMarker": session.live.new_marker})  # type: ignore[attr-defined]
    for name, module in (("ableton", type(sys)("ableton")), ("ableton.v2", type(sys)("ableton.v2"))):
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setitem(sys.modules, "ableton.v2.control_surface", framework)
    monkeypatch.setitem(sys.modules, "Live", live)
    monkeypatch.syspath_prepend(str(folder.parent))
    surface = importlib.import_module("DAW_Bridge").create_instance(object())
    clock.pop()()
    assert len(clock) == 1
    assert "listens on port 9010" in session.shown[-1] or "Port 9010 is taken" in session.shown[-1]
    surface.disconnect()
    for name in [name for name in sys.modules if name.split(".")[0] == "DAW_Bridge"]:
        monkeypatch.delitem(sys.modules, name)


def test_the_table_is_what_the_stubs_declare() -> None:
    package = distribution("ableton-live-stubs")
    assert package.version == "12.3.6.post8", "make the table anew for another version"
    folder = Path(str(package.locate_file("Live-stubs")))
    lines = (Path(lom.__file__).parent / "lom.tsv").read_text(encoding="utf-8").splitlines()
    assert [tuple(line.split("\t")) for line in lines if not line.startswith("#")] == stubs.rows(folder)


def test_the_model_refuses_what_is_not_declared() -> None:
    live = LiveSet()
    with pytest.raises(AssertionError, match="not declared"):
        live.song.make_coffee()
    with pytest.raises(AssertionError, match="does not fit"):
        live.song.create_scene()
    with pytest.raises(AssertionError, match="is no int"):
        live.song.create_scene("first")
    with pytest.raises(AssertionError, match="cannot be written"):
        live.song.tracks = []
    assert len(live.faults) == 4


def test_names_of_takes_ask_for_no_takes() -> None:
    assert regions.prompt_in(placing.take_name("a > b", Take("x", 1, None, "no chain"))) == ""
