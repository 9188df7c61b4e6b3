"""Any folder of videos, with captions beside them where there are some."""
