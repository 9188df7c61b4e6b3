"""Any folder of videos, with optional captions beside them."""
