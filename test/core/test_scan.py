"""Which scans there cannot be."""

from __future__ import annotations

import numpy as np
import pytest

from ami_ros.core.errors import AmiError
from ami_ros.core.scan import Scan


@pytest.mark.parametrize(("beams", "step"), [(0, 0.1), (3, 0.0)])
def test_a_scan_without_beams_or_without_angles_between_them_is_refused(beams: int, step: float) -> None:
    with pytest.raises(AmiError, match=f"{beams} beams"):
        Scan(np.ones(beams, np.float32), 0.0, step)
