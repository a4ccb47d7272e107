"""The protocols' names, in the order of the tables: those of results, which tables read.

Apart from the protocols, since these import torch and scikit-learn.
"""

SHOTS = (1, 5, 10, 100)  # the paper's
RECOGNITION = (*(f"few_shot_{k}" for k in SHOTS), "prototypes", "linear_probe")
OF_LANGUAGES = ("identification", "identification_oracle", "conceptualisation", "analogies")
ELSEWHERE = ("zero_shot", "zero_shot_in_vocabulary")  # of runs that were trained elsewhere
OFTEN = 20  # a concept of pretraining counts where it has more clips than these
