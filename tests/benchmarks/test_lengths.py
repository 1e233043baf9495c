"""The benchmark of lengths measures what it says it does."""

import pytest

from benchmarks.lengths import SIDES, Options, measure


@pytest.mark.slow
def test_every_epoch_is_timed():
    options = Options(lengths=2, shortest=3, batch=2, units=4, epochs=2)
    measured = {side: measure(side, options) for side in SIDES}
    for epochs, memory in measured.values():
        assert len(epochs) == 2 and epochs[0] > epochs[1] > 0 and memory >= 0
