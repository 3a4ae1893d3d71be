"""Denoisers held against one another: pairs, peers, measures, intervals, tables."""
