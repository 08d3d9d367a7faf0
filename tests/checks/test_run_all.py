from __future__ import annotations

import pytest

from run_all import CHECKS, ROOT


@pytest.mark.parametrize("check", CHECKS)
def test_the_tree_passes_every_check(check: str) -> None:
    assert CHECKS[check](ROOT) == []
