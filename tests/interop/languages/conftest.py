"""The programs of each language, built once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from .languages import LANGUAGES, Language

Build = Callable[[Language], Sequence[str | Path]]


@pytest.fixture(scope="session")
def _programs(tmp_path_factory: pytest.TempPathFactory) -> Build:
    built: dict[str, Sequence[str | Path]] = {}

    def build(language: Language) -> Sequence[str | Path]:
        if language.name not in built:
            built[language.name] = language.build(tmp_path_factory.mktemp(language.name))
        return built[language.name]

    return build


@pytest.fixture(params=LANGUAGES, ids=[language.name for language in LANGUAGES])
def language(request: pytest.FixtureRequest) -> Language:
    """Each language."""
    chosen: Language = request.param
    return chosen


@pytest.fixture
def program(language: Language, _programs: Build) -> Sequence[str | Path]:
    """The command that calls the language's program."""
    return _programs(language)
