"""One server for every export below a folder: TensorFlow Serving's REST format, streams, metrics, and a page to try."""
