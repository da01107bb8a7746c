"""audioldm-eval 0.0.3 as it is, imported without those of its requirements that its metrics do not use."""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any
from unittest import mock

# Readers of files, a resampler, a debugger, and the test bench of ssr_eval.
UNUSED = ("torchaudio", "resampy", "ipdb", "ssr_eval.eval", "ssr_eval.test")
UNUSED_NAMES = ("SSR_Eval_Helper", "BasicTestee", "test")


@contextmanager
def quietly() -> Iterator[None]:
    """Let it use what its time had; warnings of ours are errors elsewhere."""
    with warnings.catch_warnings(action="ignore"):
        yield


def module(name: str) -> Any:
    """Import a module of the package, or of ssr_eval; without a trace of what stands in for the rest."""
    absent = {}
    for unused in UNUSED:
        absent[unused] = ModuleType(unused)
        for member in UNUSED_NAMES:
            setattr(absent[unused], member, None)
    with quietly(), mock.patch.dict(sys.modules, absent):
        return importlib.import_module(name)


def features(rows: Any, key: str) -> dict[str, Any]:
    """Return rows as the package hands them on."""
    torch = importlib.import_module("torch")
    return {key: torch.as_tensor(rows), "file_path_": [f"{index}.wav" for index in range(len(rows))]}
