"""``signclip serve``: a model and an index of signs behind HTTP, with a page.

Decision: the modules are :mod:`.limits` (what a request may cost), :mod:`.batching` (concurrent
requests become one forward pass), :mod:`.uploads` and :mod:`.videos` (clips that strangers send),
:mod:`.words` (the texts of an index), :mod:`.engine` (the model and the index behind them),
:mod:`.schemas` (what is sent and answered), :mod:`.app` (the routes) and :mod:`.server` (the socket
and the signals). Cost: importing this package imports neither FastAPI nor torch; its modules do.
"""
