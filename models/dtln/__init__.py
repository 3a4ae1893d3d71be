"""DTLN: two stacked LSTM masks that take noise out of speech, defined here in plain TensorFlow."""
