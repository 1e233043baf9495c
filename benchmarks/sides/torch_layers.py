"""The layers of `torch.nn`, time first, as is their default."""

import os
from collections.abc import Callable, Mapping
from functools import partial

import torch

from benchmarks.sides import Call
from benchmarks.workload import FORWARD, LEARNING_RATE, MIN_GRU, TRAINING, USES, Workload

CLASSES = {"SimpleRNN": torch.nn.RNN, "LSTM": torch.nn.LSTM, "GRU": torch.nn.GRU, MIN_GRU: torch.nn.GRU}


def open_side(name: str) -> "TorchLayers":
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    return TorchLayers()


class TorchLayers:
    """Layers as they are, without a compiler: `torch.compile` leaves recurrent layers alone."""

    def about(self) -> dict[str, str]:
        return {"torch": torch.__version__, "threads": str(torch.get_num_threads())}

    def variants(self, workload: Workload) -> Mapping[str, Callable[[], Call]]:
        return {} if workload.kind in USES else {"eager": partial(self._build, workload)}

    def _build(self, workload: Workload) -> Call:
        torch.manual_seed(0)
        case = workload.case
        layer = CLASSES[workload.layer](case.inputs, case.units)
        sequences = torch.randn(workload.steps, case.batch, case.inputs)
        precision = partial(torch.autocast, "cpu", torch.bfloat16, enabled=workload.precision == "bfloat16")
        if workload.kind == TRAINING:
            weights = list(layer.parameters())
            sequences.requires_grad_()

            def train() -> tuple[torch.Tensor, torch.Tensor]:
                with precision():
                    outputs = layer(sequences)[0]  # (time, batch, units)
                loss = outputs.float().square().mean()
                input_gradient, *gradients = torch.autograd.grad(loss, [sequences, *weights])
                with torch.no_grad():
                    for weight, gradient in zip(weights, gradients, strict=True):
                        weight.sub_(gradient, alpha=LEARNING_RATE)
                return loss.detach(), input_gradient

            return train

        layer.eval()

        @torch.inference_mode()
        def run(state: list) -> object:
            with precision():
                outputs, state[0] = layer(sequences, state[0])
            return outputs

        if workload.kind == FORWARD:
            return lambda: run([None])
        return partial(run, [None])  # the list keeps the state between calls
