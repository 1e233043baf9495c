"""What a training shows: lines where there is no terminal."""

import pytest

from pipelines import progress
from pipelines.progress import Display

ROW = {"epoch": 2, "loss": 0.51239, "learning_rate": 0.01, "validation_wer": 0.25}


def test_lines_come_at_the_ends_of_epochs_and_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now)
    with Display(steps=10, done=4) as display:
        now = 29.0
        display.advance()
        assert not display.is_due()
        display.show(ROW, 8.4)
        assert capsys.readouterr().out == ""
        now += 30
        display.advance()
        assert display.is_due()
        display.show(ROW, 8.4)
        # Two of the six steps took 59 s, those of the process before do not count.
        line = "epoch 2 loss 0.5124 rate 0.01 8 examples/s validation_wer 0.25 118 s left\n"
        assert capsys.readouterr().out == line
        assert not display.is_due()
        display.show(ROW, 8.4, line=True)
        assert capsys.readouterr().out == line
        display.print("skipped")
        assert capsys.readouterr().out == "skipped\n"
