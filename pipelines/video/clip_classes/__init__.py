"""What a clip shows: its class, and how the evidence for it grows frame by frame."""
