"""What is installed: exactly our packages, with their data, under names that are ours."""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

import daw_bridge
import engine
import ui

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = ("daw_bridge", "engine", "ui")
LARGE = ("*.safetensors", "__pycache__")


@pytest.fixture(scope="module")
def wheel_names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Return the names in a wheel built from the tree, with a stand-in for the starter's large weights."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in (*PACKAGES, "presets", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns(*LARGE))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    (folder / "engine" / "starter").mkdir(exist_ok=True)
    (folder / "engine" / "starter" / "stand_in.safetensors").touch()
    build = "import setuptools.build_meta as build; build.build_wheel('dist')"
    subprocess.run([sys.executable, "-c", build], cwd=folder, check=True, capture_output=True)
    (wheel,) = (folder / "dist").iterdir()
    return set(zipfile.ZipFile(wheel).namelist())


def test_every_package_is_listed() -> None:
    files = (path.relative_to(ROOT) for name in PACKAGES for path in (ROOT / name).rglob("*.py"))
    # Below scripts is what runs in hosts, which is data here.
    folders = {path.parent for path in files if "scripts" not in path.parts}
    listed = set(PYPROJECT["tool"]["setuptools"]["packages"]) - {"engine._presets"}
    assert listed == {".".join(folder.parts) for folder in folders}, "list packages in pyproject.toml by hand"


def test_the_wheel_has_code_and_data(wheel_names: set[str]) -> None:
    code = {str(path.relative_to(ROOT)) for name in PACKAGES for path in (ROOT / name).rglob("*.py")}
    presets = {
        f"engine/_presets/{path.relative_to(ROOT / 'presets')}"
        for path in (ROOT / "presets").rglob("*")
        if path.is_file()
    }
    assert presets >= {"engine/_presets/examples/groove.flac"}
    page = {f"engine/evaluation/listening/page.{ending}" for ending in ("html", "js")}
    assert wheel_names >= code | presets | page | {"engine/starter/stand_in.safetensors"}


def test_the_wheel_has_nothing_else(wheel_names: set[str]) -> None:
    tops = {name.split("/")[0] for name in wheel_names}
    version = PYPROJECT["project"]["version"]
    assert tops == {*PACKAGES, f"daw_bridge-{version}.dist-info"}


@pytest.mark.parametrize("package", [daw_bridge, engine, ui], ids=PACKAGES)
def test_our_names_are_ours(package: ModuleType) -> None:
    name = package.__name__
    owners = set(importlib.metadata.packages_distributions().get(name, []))
    assert owners == {"daw-bridge"}, (
        f"{name} is provided by {owners or 'no distribution'}: it is a general name, so daw-bridge needs "
        "an environment of its own (make run, make test)"
    )
    assert Path(str(package.__file__)) == ROOT / name / "__init__.py", f"another {name} shadows ours"
