"""MSR-VTT: 10,000 web clips with 20 captions each."""
