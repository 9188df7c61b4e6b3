"""Captioned videos listed in CSV tables: WebVid's, or any other."""
