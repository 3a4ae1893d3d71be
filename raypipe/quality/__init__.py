"""How good sound is: measures of one recording, and of one against a reference.

Comes in: samples. Goes out: numbers with units in their names, or the reason why there is none.
Knows nothing of files and of Ray. (The speed of a run is `raypipe.telemetry`'s business.)

- `measures`: what one sound says of itself, all of it at once, also in stretches.
- `snr`, `activity`, `clipping`, `spectrum`: the parts of it that are more than a line.
"""
