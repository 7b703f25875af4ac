"""What the benchmarks share: the machine they ran on, processes of their own, the sections of RESULTS.md."""
