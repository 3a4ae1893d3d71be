"""What is seen of a run while it goes on: one document, the metrics made of it, where it lies."""
