"""Speed and memory of the recurrent layers, side by side with their peers: `python -m benchmarks.speed`."""
