"""Video: the frames that come next, and what a clip shows; one package each, and what they share."""
