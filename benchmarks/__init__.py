"""How fast chatd is, measured from outside: `python -m benchmarks`."""
