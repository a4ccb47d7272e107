"""Figures: one module each, with a ``FIGURE`` of :mod:`benchmarks.report.drawing`."""
