"""Kinetics: ten-second clips of human actions, named by the spans they were cut from."""
