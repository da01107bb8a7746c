"""The parts of Live's extension by themselves: declarations, bytes, pages. Whole jobs are in end2end."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from daw_bridge.daws.live.host import SCRIPTS
from daw_bridge.transport.framing import FrameDecoder, Framing, encode_frame
from daw_bridge.transport.packets import decode_packet, encode_packet
from tests.hosts.live import lom

EXTENSION = SCRIPTS / "extension"
MODEL = Path(lom.__file__).parent
INTERFACES = {"DataModel": "dataModel", "Commands": "commands", "Ui": "ui", "Resources": "resources"}
has_node = pytest.mark.skipif(shutil.which("node") is None, reason="not installed: node")


def node(program: str, given: object = None) -> Any:
    """Run a program that has the extension's insides as bridge and prints JSON by told()."""
    # What is filled in at installing must be JSON by then.
    text = (EXTENSION / "extension.js").read_text(encoding="utf-8")
    filled = text.replace("@COMMAND_JSON@", '[\\"x\\"]').replace("@RUNTIME_JSON@", '\\"x\\"')
    start = f"{filled}\nconst given = {json.dumps(given)};"
    print_json = (
        "const told = (value) => process.stdout.write(JSON.stringify(value, (_, one) => "
        "typeof one === 'bigint' ? String(one) : one instanceof Uint8Array ? [...one] : one));"
    )
    done = subprocess.run(
        ["node", "-"],
        input=f"{start}{print_json}\n{program}",
        cwd=MODEL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def declared() -> dict[tuple[str, str], tuple[int, str]]:
    """Return of each function of the host how many arguments it takes, and its result."""
    lines = (MODEL / "extensions_api.tsv").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    return {
        (module, name): (len(args.split()) + 2 * result.startswith("later"), result.removeprefix("later "))
        for module, name, args, result in rows
    }


def written() -> dict[tuple[str, str], tuple[int, str]]:
    """Return the same of what the extension's own declarations name."""
    text = (EXTENSION / "src" / "api.d.ts").read_text(encoding="utf-8")
    found = {}
    for interface, body in re.findall(r"^interface (\w+) \{\n(.*?)^\}", text, re.DOTALL | re.MULTILINE):
        for line in _members(body) if interface in INTERFACES else ():
            name, args, result = _parts(line)
            found[INTERFACES[interface], name] = (len(_parameters(args)), result)
    return found


def _members(body: str) -> list[str]:
    """Return the functions of an interface, each on one line."""
    joined = re.sub(r"\n(?!  \w)", " ", body)
    return [line.strip() for line in joined.splitlines() if "(" in line]


def _parts(line: str) -> tuple[str, str, str]:
    name, _, rest = line.partition("(")
    args, _, result = rest.rpartition("): ")
    return name.removesuffix("<T>"), args, result.rstrip(";")


def _parameters(text: str) -> list[str]:
    """Return the parameters of a function, by the commas that are in no bracket."""
    depth, parts = 0, [""]
    for character in text.replace("=>", "  "):
        depth += (character in "({<") - (character in ")}>")
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return [part for part in parts if part.strip()]


def test_only_what_the_host_declares_is_written_down_for_the_compiler() -> None:
    own, host = written(), declared()
    assert len(own) == 31
    assert set(own) <= set(host), set(own) - set(host)
    plain = {"void": "nothing", "T": "any", "Handle | null": "Handle?"}
    for key, (count, result) in own.items():
        expected_count, expected_result = host[key]
        assert count == expected_count, key
        if result != "void":
            assert plain.get(result, result) == expected_result, key


@has_node
def test_the_model_refuses_what_is_not_declared() -> None:
    faults = node(
        """
        const { Host } = require("./extension_host.js");
        const fs = require("node:fs"), os = require("node:os"), path = require("node:path");
        const folder = fs.mkdtempSync(path.join(os.tmpdir(), "model-"));
        const host = new Host({ tempo_bpm: 120, folder, tracks: [] });
        const api = host.activation().initializeExtensionHost({ apiVersion: "1.0.0" });
        const tries = [() => api.dataModel.makeCoffee(), () => api.dataModel.songGetTempo(),
          () => api.dataModel.songGetTempo("song"),
          () => api.ui.registerContextMenuAction("Song", "x", "y", () => 0)];
        for (const one of tries) { try { one(); } catch { /* the host notes it */ } }
        fs.rmSync(folder, { recursive: true });
        told(host.faults);
        """
    )
    assert [fault.split(":")[0] for fault in faults] == [
        "dataModel.makeCoffee is not declared",
        "dataModel.songGetTempo takes 1 arguments and got 0",
        "dataModel.songGetTempo",
        "ui.registerContextMenuAction",
    ]


MESSAGES: list[tuple[str, str, list[Any]]] = [
    ("/ldm/1/ping", "s", ["r1"]),
    ("/ldm/1/transfer", "sssf", ["abc", "", "Kätzchen \U0001f408", 0.5]),
    ("/ldm/1/hello", "ssis", ["r", "four", -7, "12345678"]),
]


@has_node
def test_messages_are_read_by_the_service_as_they_were_meant() -> None:
    program = "told(given.map(([address, tags, args]) => bridge.encode(address, tags, args)))"
    packets = node(program, MESSAGES)
    for (address, _, args), packet in zip(MESSAGES, packets, strict=True):
        (message,) = decode_packet(bytes(packet))
        assert (message.address, list(message.args)) == (address, args)


@has_node
def test_answers_of_the_service_are_read_as_they_were_meant() -> None:
    args = ["r1", 7, 2**40, 0.5, True, False, "Kätzchen"]
    packet = encode_packet("/ldm/1/done", args)
    read = node("told(bridge.decode(Uint8Array.from(given)))", list(packet))
    assert read == {"address": "/ldm/1/done", "args": ["r1", 7, str(2**40), 0.5, True, False, "Kätzchen"]}


@has_node
@pytest.mark.parametrize("step", [1, 2, 7, 1000])
def test_frames_are_those_of_the_service_however_the_stream_is_cut(step: int) -> None:
    packets = [bytes([0xC0, 0xDB, 1]), b"\xdb\xdc\xdb\xdd", bytes(range(256))]
    stream = b"".join(encode_frame(packet, Framing.SLIP) for packet in packets)
    pieces = [list(stream[at : at + step]) for at in range(0, len(stream), step)]
    program = """
        const decoder = new bridge.FrameDecoder();
        const heard = given.pieces.flatMap((piece) => decoder.feed(Uint8Array.from(piece)));
        told({ heard, sent: given.packets.map((packet) => bridge.framed(Uint8Array.from(packet))) });"""
    told = node(program, {"pieces": pieces, "packets": [list(packet) for packet in packets]})
    assert [bytes(one) for one in told["heard"]] == packets
    assert FrameDecoder().feed(b"".join(map(bytes, told["sent"]))) == packets


@has_node
@pytest.mark.parametrize("place", ["webkit", "chrome"])
def test_the_dialog_sends_what_was_filled_in(place: str) -> None:
    """The page's own script, with as much of a browser as it asks for."""
    told = node(
        """
        const wishes = { ...bridge.FIRST_WISHES, prompt: `a "harp" <b>`, negative: "it's" };
        const page = bridge.wishes_page("Selection on <Track>", wishes, ["transfer", "generate"]);
        const script = page.match(/<script>(.*)<\\/script>/s)[1];
        const fields = { task: "transfer", prompt: "a harp", negative: "", strength: "0.4", takes: "3",
          seed: " 7 " };
        const heard = [];
        const port = { postMessage: (message) => heard.push(message) };
        const mac = { webkit: { messageHandlers: { live: port } } }, windows = { chrome: { webview: port } };
        const window = given === "webkit" ? mac : windows;
        const keys = [];
        const document = {
          getElementById: (id) => ({ value: fields[id], checked: true, focus: () => undefined }),
          addEventListener: (_, listener) => keys.push(listener),
        };
        new Function("window", "document", `${script}; render();`)(window, document);
        keys[0]({ key: "Escape" });
        told({ page, heard, read: heard.map((message) => bridge.read_wishes(message.params[0])) });
        """,
        place,
    )
    assert [message["method"] for message in told["heard"]] == ["close_and_send"] * 2
    wishes = {
        "task": "transfer",
        "prompt": "a harp",
        "negative": "",
        "strength": 0.4,
        "takes": 3,
        "seed": "7",
    }
    assert told["read"] == [{**wishes, "is_background": True}, None]
    assert "a &quot;harp&quot; &lt;b&gt;" in told["page"]
    assert "<Track>" not in told["page"]
    assert 'value="inpaint"' not in told["page"]


@has_node
def test_a_seed_keeps_all_its_digits_on_the_way_there_and_back() -> None:
    seed = str(2**63 - 1)
    told = node(
        """
        const wishes = { ...bridge.FIRST_WISHES, prompt: "x", seed: given };
        const anchor = { track: "T", tempo_bpm: 120 };
        const { args } = bridge.request_for(wishes, { path: "a.wav", length_s: 1, anchor });
        const job = `{"takes": [{"path": "x", "seed": ${given}}]}`;
        told({ options: args[3], take: bridge.read_state(job).takes[0] });
        """,
        seed,
    )
    assert json.loads(told["options"])["seed"] == 2**63 - 1
    assert told["take"]["seed"] == seed
