"""The work that is timed: which layer, in which precision, at which size, doing what."""

from typing import NamedTuple

GATES = {"SimpleRNN": 1, "LSTM": 4, "GRU": 3}
MIN_GRU = "MinGRU"
PRECISIONS = ("float32", "bfloat16")
TRAINING, FORWARD, STREAMING = KINDS = ("training step", "forward pass", "streaming step")
# How a model of one layer is used once it is trained, in float32.
PREDICT, EXPORTED, ONNX = USES = ("predict, 8 batches", "exported model", "ONNX file")
PREDICTED_BATCHES = 8
LEARNING_RATE = 1e-3


class Case(NamedTuple):
    """One size of a layer and of what it reads."""

    batch: int
    time: int
    inputs: int
    units: int

    @classmethod
    def parse(cls, text: str) -> "Case":
        """Reads "batch,time,inputs,units".

        Raises:
            ValueError: if the text is anything but four positive whole numbers.

        Example:
            >>> Case.parse("32,100,128,256")
            Case(batch=32, time=100, inputs=128, units=256)
        """
        numbers = text.split(",")
        if len(numbers) != 4 or not all(number.strip().isdecimal() and int(number) for number in numbers):
            raise ValueError(
                "A case is four positive whole numbers, batch,time,inputs,units, such as 32,100,128,256. "
                f"Received: {text}"
            )
        return cls(*map(int, numbers))

    def __str__(self) -> str:
        return ",".join(map(str, self))


GRID = (
    Case(32, 100, 128, 256),
    Case(16, 400, 80, 320),
    Case(64, 35, 400, 650),
    Case(64, 50, 8, 64),
    Case(1, 200, 64, 128),
    Case(128, 24, 8, 128),
)
# What the pipelines' presets give to their layers, about a batch each.
PRESET_GRID = (
    Case(5, 100, 320, 160),  # speech, small
    Case(5, 100, 512, 256),  # speech, base, an upper layer
    Case(32, 120, 16, 16),  # stocks
    Case(64, 168, 48, 48),  # weather
    Case(64, 120, 48, 48),  # sentiment
    Case(64, 25, 128, 128),  # tagging
    Case(64, 25, 256, 256),  # translation
    Case(32, 64, 384, 384),  # language model
    Case(16, 16, 96, 96),  # classes of clips
)
SMALLEST_CASE = Case(2, 2, 2, 2)  # its data take next to no memory
# For the layer that trains in parallel over time.
LONG_GRID = tuple(Case(16, time, 64, 128) for time in (256, 1024, 4096))


class Workload(NamedTuple):
    """What every side does alike; all inputs, targets and weights are float32, random and of moderate size.

    The peers, who have no MinGRU, take the layer that it stands for, their GRU.

    - training step: the layer returns the output of every step; the loss is the mean of their squares, taken in
      float32; gradients with respect to all weights and to the inputs; one step of stochastic gradient descent.
    - forward pass: the output of every step and the last state, at inference.
    - streaming step: one time step for the whole batch, at inference; the state is handed in and out.
    - predict: `Model.predict` of a compiled model of the layer, on eight batches in memory.
    - exported model: the SavedModel that `Model.export` writes, called from Python on a batch.
    - ONNX file: the same model as ONNX, in onnxruntime; ours is converted by `models.conversion.to_onnx`, Keras's by
      `Model.export`.

    In bfloat16 weights are kept in float32 and products are taken in bfloat16: "mixed_bfloat16" in Keras,
    `torch.autocast` in PyTorch.
    """

    layer: str
    precision: str
    kind: str
    case: Case

    @property
    def steps(self) -> int:
        return 1 if self.kind == STREAMING else self.case.time
