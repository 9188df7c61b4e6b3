"""MSR-VTT: 10,000 clips of the web with 20 captions each."""
