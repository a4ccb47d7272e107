"""Metrics: ranks from scores or embeddings, retrieval metrics, intervals, comparisons.

* :mod:`benchmarks.metrics.ties`: what a rank is where scores are equal, and what it is worth.
* :mod:`benchmarks.metrics.ranking`: ranks from a score matrix; :mod:`benchmarks.metrics.streaming`:
  the same ranks from embeddings, where the matrix does not fit.
* :mod:`benchmarks.metrics.exact`: what every table shows; :mod:`benchmarks.metrics.reference`: the
  paper's own measure.
* :mod:`benchmarks.metrics.intervals` and :mod:`benchmarks.metrics.scoring`: intervals and chance
  levels; :mod:`benchmarks.metrics.compare`: paired differences of two encoders.
"""

from benchmarks.metrics.arrays import CHUNK as CHUNK
from benchmarks.metrics.exact import retrieval as retrieval
from benchmarks.metrics.exact import t2v_metrics as t2v_metrics
from benchmarks.metrics.exact import v2t_metrics as v2t_metrics
from benchmarks.metrics.ranking import PRECISION_AT as PRECISION_AT
from benchmarks.metrics.ranking import ROWS as ROWS
from benchmarks.metrics.ranking import Ranks as Ranks
from benchmarks.metrics.ranking import T2VHits as T2VHits
from benchmarks.metrics.ranking import ranks as ranks
from benchmarks.metrics.ranking import t2v_hits as t2v_hits
from benchmarks.metrics.ranking import v2t_ranks as v2t_ranks
from benchmarks.metrics.reference import reference_retrieval as reference_retrieval
from benchmarks.metrics.ties import RECALL_AT as RECALL_AT
from benchmarks.metrics.ties import TiedRanks as TiedRanks
from benchmarks.metrics.ties import rank_units as rank_units
