"""Tasks: pure functions from embeddings, scores or ranks to numbers.

* :mod:`benchmarks.tasks.retrieval`: text to video and video to text, over folds and seeds.
* :mod:`benchmarks.tasks.recognition`: zero-shot, few-shot, prototypes, linear probe.
* :mod:`benchmarks.tasks.identification`: which sign language a clip is in.
* :mod:`benchmarks.tasks.embedding_space`: what the space looks like: iconicity, analogies.

They know nothing of files, encoders or result schemas but :class:`benchmarks.results.Score`.
"""

from benchmarks.tasks.retrieval import KS as KS
from benchmarks.tasks.retrieval import ranked as ranked
from benchmarks.tasks.retrieval import retrieval as retrieval
