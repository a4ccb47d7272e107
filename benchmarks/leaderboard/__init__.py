"""The leaderboard: one page that compares all encoders, and its exports, from result files.

* :mod:`benchmarks.leaderboard.compact`: results as a board reads them.
* :mod:`benchmarks.leaderboard.columns`: which results share a row and a column.
* :mod:`benchmarks.leaderboard.paired`: exact paired tests, Holm's correction, tie groups.
* :mod:`benchmarks.leaderboard.order`: the overall order and its intervals.
* :mod:`benchmarks.leaderboard.board`: all of these together.
* :mod:`benchmarks.leaderboard.page`: the page; :mod:`benchmarks.leaderboard.exports` and
  :mod:`benchmarks.leaderboard.sharing`: the other files.
* :mod:`benchmarks.leaderboard.output`: all files are written.
"""
