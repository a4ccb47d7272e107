"""Tables of the pipeline: one module each, with a ``TABLE`` of :mod:`benchmarks.report.page`."""
