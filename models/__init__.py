"""How each shipped model is made: definition, export, a ``.tflite`` with its card inside.

Needs TensorFlow (the extra ``models``); nothing in `raypipe` imports from here.
"""
