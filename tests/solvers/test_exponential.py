import math

import pytest
from scipy.integrate import quad

from ediffuser.solvers.exponential import phi


@pytest.mark.parametrize("z", [-20.0, -5.0, -1.0, -0.999, -0.1, -1e-3, -1e-9, 0.0, 1e-6, 0.02, 0.999, 1.0, 3.0, 12.0])
def test_phi_is_its_integral_however_small_the_step(z):
    assert phi(0, z) == pytest.approx(math.exp(z), rel=1e-14)
    for k in (1, 2, 3, 4, 5):
        wanted, _ = quad(
            lambda u, k=k: math.exp((1 - u) * z) * u ** (k - 1) / math.factorial(k - 1), 0, 1, epsrel=1e-12
        )
        assert phi(k, z) == pytest.approx(wanted, rel=1e-11)


def test_phi_has_no_seam_between_series_and_recurrence():
    for k in (1, 2, 3, 4, 5):
        for edge in (-1.0, 1.0):
            assert phi(k, edge * (1 - 1e-15)) == pytest.approx(phi(k, edge), rel=1e-13)
