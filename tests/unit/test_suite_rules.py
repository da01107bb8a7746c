"""The test run itself: each case is a suite of its own that must fail, or pass, for one reason."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
OPTIONS = tomllib.loads((TESTS.parent / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    """Return an empty suite under this project's rules."""
    rules = {key: OPTIONS[key] for key in ("addopts", "markers", "filterwarnings", "xfail_strict")}
    lines = "\n".join(
        f"{key} = {str(value).lower() if value is True else value}" for key, value in rules.items()
    )
    pytester.makepyprojecttoml(f"[tool.pytest.ini_options]\n{lines}\n")
    pytester.makeconftest((TESTS / "conftest.py").read_text())
    return pytester


def run(suite: pytest.Pytester, body: str, *options: str) -> pytest.RunResult:
    suite.makepyfile(f"import logging, os, warnings, pytest\n{body}")
    return suite.runpytest_inprocess(*options)


def test_what_hides_trouble_fails(suite: pytest.Pytester) -> None:
    result = run(
        suite,
        """
def test_warns(): warnings.warn("old")
@pytest.mark.xfail
def test_passes_by_surprise(): pass
def test_leaves_a_file_open(): open(os.devnull)
""",
    )
    result.assert_outcomes(failed=3)


@pytest.mark.expects_log  # its records pass through this run too
@pytest.mark.parametrize(("level", "errors"), [("error", 1), ("warning", 1), ("info", 0)])
def test_an_unexpected_log_record_fails(suite: pytest.Pytester, level: str, errors: int) -> None:
    body = f"def test_logs(): logging.getLogger('engine.some').{level}('lost a take')"
    result = run(suite, body)
    result.assert_outcomes(passed=1, errors=errors)
    assert ("unexpected in the log" in result.stdout.str()) is bool(errors)


@pytest.mark.expects_log
def test_an_expected_log_record_passes(suite: pytest.Pytester) -> None:
    body = "@pytest.mark.expects_log\ndef test_logs(): logging.getLogger('engine').error('lost a take')"
    run(suite, body).assert_outcomes(passed=1)


def test_an_unknown_marker_is_an_error(suite: pytest.Pytester) -> None:
    result = run(suite, "@pytest.mark.expects_logs\ndef test_misspelt(): pass")
    result.assert_outcomes(errors=1)


def test_the_order_is_random_and_its_seed_repeats_it(suite: pytest.Pytester) -> None:
    body = "@pytest.mark.parametrize('n', range(8))\ndef test_one(n): pass"
    first, again, other = (_order(run(suite, body, "-v", f"--randomly-seed={seed}")) for seed in (1, 1, 2))
    assert first == again
    assert sorted(first) == sorted(other) == list(range(8))
    assert first != other


def test_what_takes_long_comes_first_in_any_order(suite: pytest.Pytester) -> None:
    body = (
        "@pytest.mark.parametrize('n', range(8))\ndef test_one(n): pass\n"
        "@pytest.mark.takes_long\n@pytest.mark.parametrize('n', [8, 9])\ndef test_long(n): pass"
    )
    for seed in range(3):
        assert set(_order(run(suite, body, "-v", f"--randomly-seed={seed}"))[:2]) == {8, 9}


def test_two_workers_keep_the_rules_and_the_order_of_the_seed(suite: pytest.Pytester) -> None:
    body = """
import random
@pytest.mark.parametrize("n", range(8))
def test_one(n): assert random.random() == 2
def test_warns(): warnings.warn("old")
def test_logs(): logging.getLogger("engine.some").error("lost a take")
"""
    runs = [run(suite, body, "-n2", "--dist=worksteal", "--randomly-seed=1") for _ in range(2)]
    for one in runs:
        one.assert_outcomes(failed=9, passed=1, errors=1)
        one.stdout.fnmatch_lines(["Using --randomly-seed=1", "*unexpected in the log*"])
    dice = [sorted(re.findall(r"assert (0\.\d+) == 2", one.stdout.str())) for one in runs]
    assert dice[0] == dice[1] and len(set(dice[0])) == 8


def test_tests_in_real_time_run_alone_and_others_side_by_side(suite: pytest.Pytester) -> None:
    """Each test waits a little for another one: those in real time meet none, the others do."""
    body = """
from pathlib import Path
import time
HERE = Path(__file__).parent
def meets_another(n):
    (HERE / f"{n}.running").touch()
    try:
        for _ in range(50):
            if len(list(HERE.glob("*.running"))) > 1:
                time.sleep(0.05)
                (HERE / "met").touch()
                return True
            time.sleep(0.01)
        return False
    finally:
        (HERE / f"{n}.running").unlink()
@pytest.mark.parametrize("n", range(8))
def test_beside_others(n): meets_another(n)
@pytest.mark.real_time
@pytest.mark.parametrize("n", [8, 9, 10])
def test_alone(n): assert not meets_another(n)
"""
    run(suite, body, "-n2", "--dist=worksteal").assert_outcomes(passed=11)
    assert (suite.path / "met").exists()


def test_this_run_has_a_random_order(pytestconfig: pytest.Config) -> None:
    reason = "tests must pass in any order: run with pytest-randomly (make test)"
    assert pytestconfig.pluginmanager.hasplugin("randomly"), reason


def _order(result: pytest.RunResult) -> list[int]:
    return [int(number) for number in re.findall(r"test_\w+\[(\d)\] PASSED", result.stdout.str())]
