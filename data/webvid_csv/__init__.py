"""Captioned videos that CSV tables tell of: WebVid's tables, and anybody's own."""
