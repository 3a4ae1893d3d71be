"""The denoiser at 48 kHz: its data, its network and how it was trained."""
