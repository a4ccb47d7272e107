"""Pages about a transfer corpus: one module each, like :mod:`benchmarks.report.tables`."""
