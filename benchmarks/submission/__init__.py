"""Encoders from outside: checked, run on every task, and submitted as files that can be verified.

* :mod:`benchmarks.submission.entry`: from what a command is given to an encoder with metadata.
* :mod:`benchmarks.submission.checks`: the conformance test, ``signbench check``.
* :mod:`benchmarks.submission.running`: all tasks on all corpora, ``signbench run``.
* :mod:`benchmarks.submission.validation`: are results what they say, ``signbench validate``.
* :mod:`benchmarks.submission.folder`: the folder of a pull request, ``signbench submit``.
* :mod:`benchmarks.submission.starting_file`: ``signbench new``.
"""
