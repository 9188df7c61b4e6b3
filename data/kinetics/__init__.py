"""Kinetics: ten-second clips of human actions, named after their time spans."""
