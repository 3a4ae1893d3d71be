"""A model on lanes: found (`zoo`), described (`card`), loaded and stepped (`lanes`).

Comes in: a model's name or path, blocks of sound and the state they go on from.
Goes out: as much sound and the next state. Knows nothing of files of audio or of Ray.
"""
