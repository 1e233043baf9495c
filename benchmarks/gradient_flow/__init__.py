"""What gates are for: gradients over time, and what is learned, on one page: `python -m benchmarks.gradient_flow`."""
