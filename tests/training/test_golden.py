import json
import shutil

import pytest
from golden import AFTER, GOLDEN, draw_pictures, go_on

from ediffuser.runtime.checkpoint import FORMAT


@pytest.mark.parametrize("name", sorted(path.name for path in GOLDEN.iterdir()))
def test_a_checkpoint_of_every_format_goes_on_with_its_recorded_losses(name, tmp_path):
    """20 steps, to the rounding in which processors differ; a step with another picture or time is 1e-2 away."""
    draw_pictures(tmp_path / "pictures")
    shutil.copytree(GOLDEN / name / "checkpoints", tmp_path / "run" / "checkpoints")
    recorded = json.loads((GOLDEN / name / "losses.json").read_text())
    assert len(recorded) == AFTER
    assert go_on(tmp_path / "run", tmp_path / "pictures", AFTER) == pytest.approx(recorded, rel=1e-4)


def test_the_format_of_today_has_its_golden_checkpoint():
    assert (GOLDEN / FORMAT / "losses.json").exists()
