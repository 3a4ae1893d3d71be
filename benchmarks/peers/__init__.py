"""Who is compared with whom: raypipe, what it is measured against, and the questions asked.

Each peer does the same work: the same files in, WAV or FLAC files out, of the same length and
aligned. Each runs in processes of its own, one thread in each, and its start is not counted.
"""
