"""The service as a process: one for each user, found while it lives, and never after."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from daw_bridge.client.jobs import Client
from daw_bridge.messages.connection import Status
from tests.end2end.homes import PATIENCE_S, Home, kill, small_disk


def ready(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Return what a service says when it is ready."""
    assert process.stdout is not None
    content: dict[str, Any] = json.loads(process.stdout.readline())
    return content


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for a process; return its status and what it complained of."""
    _, complained = process.communicate(timeout=PATIENCE_S)
    return process.returncode, complained


def test_a_service_says_how_to_reach_it_and_can_be_asked_and_ended(home: Home, tmp_path: Path) -> None:
    assert home.run("service", "status", cwd=tmp_path).stdout == "No service is running.\n"
    with home.started("serve", cwd=tmp_path) as process:
        said = ready(process)
        assert said.pop("ready") is True
        told = home.run("service", "status", cwd=tmp_path)
        assert told.stdout.startswith(f"A service runs as process {process.pid}: 0 running, 0 waiting.\n{{")
        assert json.loads(told.stdout.split("\n", 1)[1]).items() >= said.items()
        assert home.run("service", "stop", cwd=tmp_path).stdout == "The service has ended.\n"
        assert ended(process) == (0, "")
    assert home.run("service", "status", cwd=tmp_path).stdout == "No service is running.\n"
    assert home.processes() == []
    assert not (home.folders.runtime / "service.json").exists()
    again = home.run("service", "stop", cwd=tmp_path)
    assert (again.returncode, again.stderr) == (1, "error[timeout]: no service is running.\n")


def test_all_that_a_service_keeps_is_in_its_folders(home: Home, tmp_path: Path) -> None:
    lines = home.run("service", "paths", cwd=tmp_path).stdout.splitlines()
    paths = [line[17:] for line in lines]
    assert len(lines) == 9
    assert all(Path(path).is_relative_to(home.folder) for path in paths)
    assert home.processes() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_service_that_is_told_to_end_leaves_nothing(
    home: Home, tmp_path: Path, number: signal.Signals
) -> None:
    with home.started("serve", cwd=tmp_path) as process:
        ready(process)
        process.send_signal(number)
        assert ended(process) == (0, "")
    assert {path.name for path in home.folders.runtime.iterdir()} == {"service.lock", "worker.lock"}


def test_a_service_ends_with_its_owner(home: Home, tmp_path: Path) -> None:
    with home.started("serve", "--with-owner", cwd=tmp_path) as process:
        ready(process)
        assert home.service() is not None
        assert ended(process) == (0, "")  # communicate closes its stdin, as the owner's death does
    assert home.service() is None
    assert home.processes() == []


def test_a_second_service_is_refused_in_one_sentence(home: Home, tmp_path: Path) -> None:
    with home.started("serve", cwd=tmp_path) as process:
        ready(process)
        second = home.run("serve", cwd=tmp_path)
        assert second.returncode == 1
        assert second.stderr == (
            "error[bad_args]: a service is running already for this user. "
            "Use it, or end it: daw-bridge service stop.\n"
        )
        with Client() as client:
            assert client.ask(Status(rid="-")).queued == 0


def test_a_killed_service_is_not_found_and_the_next_one_starts(home: Home, tmp_path: Path) -> None:
    with home.started("serve", cwd=tmp_path) as process:
        ready(process)
        process.kill()
        process.wait(PATIENCE_S)
        assert (home.folders.runtime / "service.json").exists()
        assert home.run("service", "status", cwd=tmp_path).stdout == "No service is running.\n"
    with home.started("serve", cwd=tmp_path) as process:
        assert ready(process)["pid"] == process.pid


def test_a_command_waits_for_a_service_that_is_ending(home: Home, tmp_path: Path) -> None:
    with Client() as client:
        client.ask(Status(rid="-"))
        (first,) = home.services()
        kill(first, signal.SIGTERM)
        with Client() as other:
            assert other.ask(Status(rid="-")).queued == 0
        assert client.ask(Status(rid="-")).queued == 0
    assert first.pid not in {service.pid for service in home.services()}


def test_a_port_that_nobody_asked_for_is_another_where_it_is_taken(home: Home, tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as other:
        # Where the user's own service or another program has it already, that is as good.
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):
            other.bind(("127.0.0.1", 9000))
            other.listen()
        with home.started("serve", "--udp-port", "0", cwd=tmp_path) as process:
            assert ready(process)["tcp_port"] != 9000


@pytest.mark.parametrize("option", ["--udp-port", "--tcp-port", "--http-port"])
def test_a_port_that_was_asked_for_and_is_taken_is_told(home: Home, tmp_path: Path, option: str) -> None:
    kind = socket.SOCK_DGRAM if option == "--udp-port" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            other.listen()
        port = other.getsockname()[1]
        done = home.run("serve", option, str(port), cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == f"error[bad_args]: port {port} belongs to another program. Choose another one.\n"
    assert {path.name for path in home.folders.runtime.iterdir()} == {"service.lock", "worker.lock"}


def test_ports_that_nobody_asked_for_give_way(home: Home, tmp_path: Path) -> None:
    other = Home(tmp_path / "another user")
    with (
        home.started("serve", cwd=tmp_path) as one,
        other.started("serve", cwd=tmp_path) as two,
    ):
        first, second = ready(one), ready(two)
        names = ("udp_port", "tcp_port", "http_port")
        assert all(first[name] != second[name] for name in names)
        assert all(first[name] and second[name] for name in names)


def test_a_service_beyond_this_machine_lets_its_own_user_in(home: Home, tmp_path: Path) -> None:
    with home.started("serve", "--listen", "127.0.0.2", cwd=tmp_path) as process:
        ready(process)
        told = home.run("service", "status", cwd=tmp_path)
        assert (told.returncode, told.stderr) == (0, "")
        assert home.run("service", "stop", cwd=tmp_path).returncode == 0
        assert ended(process) == (0, "")


def test_the_users_own_commands_find_the_token_wherever_it_is(home: Home, tmp_path: Path) -> None:
    with home.started("serve", "--token-file", "secrets/token", cwd=tmp_path) as process:
        path = tmp_path / "secrets" / "token"
        assert ready(process)["token_file"] == str(path)
        told = home.run("service", "status", cwd=home.folder)
        assert (told.returncode, told.stderr) == (0, "")
        token = path.read_text().strip()
        assert token not in told.stdout
        assert token not in (home.folders.runtime / "service.json").read_text()
        assert home.run("service", "stop", cwd=tmp_path).returncode == 0
        assert ended(process) == (0, "")


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff", b"two\nlines", b"a" * 201])
def test_a_file_without_a_token_lets_nobody_in(home: Home, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)
    path.chmod(0o600)
    done = home.run("serve", "--token-file", str(path), cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith(f"error[auth]: {path} holds no token.")


def test_a_service_that_cannot_start_says_why_to_the_command_that_needs_it(
    home: Home, tmp_path: Path
) -> None:
    home.folders.state.mkdir(parents=True)
    home.folders.history.mkdir()
    done = home.run("generate", "--prompt", "rain", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("error[path_denied]: the service does not start: ")
    assert str(home.folders.history) in done.stderr
    assert home.processes() == []


def test_a_home_that_is_no_folder_is_said(home: Home, tmp_path: Path) -> None:
    home.folder.touch()
    for command in (("serve",), ("generate", "--prompt", "rain")):
        done = home.run(*command, cwd=tmp_path)
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1
        assert done.stderr.startswith("error[path_denied]: ")
        assert f"{home.folders.runtime} cannot be used: a file is in its place." in done.stderr


@pytest.mark.parametrize(
    ("options", "code"), [("size=4k", "disk_full"), ("size=9m,ro", "path_denied")], ids=["full", "read-only"]
)
def test_a_home_on_a_disk_that_takes_no_files_is_said(
    home: Home, tmp_path: Path, options: str, code: str
) -> None:
    home.folder.mkdir()
    with small_disk(home.folder, options):
        for command in (("serve",), ("generate", "--prompt", "rain")):
            done = home.run(*command, cwd=tmp_path)
            assert done.returncode == 1
            assert done.stderr.count("\n") == 1, done.stderr
            assert done.stderr.startswith(f"error[{code}]: ")
            assert str(home.folder) in done.stderr
