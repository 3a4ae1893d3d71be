"""Chaos on a cluster of real nodes; ``python -m benchmarks.chaos`` says what it does."""
