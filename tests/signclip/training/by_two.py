"""All that tests need of two undisturbed processes, in one launch of torchrun, which takes seconds.

``by_two.py FOLDER RUNS CONFIGS``: write the gathered losses into RUNS, then train each of the
configurations (JSON, name -> values) on the data below FOLDER, into RUNS/<name>.
"""

import json
import sys
from pathlib import Path

import gathered_losses
import killed_training

from signclip.training import distributed

if __name__ == "__main__":
    folder, runs, configs = sys.argv[1:]
    with distributed.group():
        gathered_losses.write(Path(runs))
        for name, config in json.loads(configs).items():
            killed_training.train(Path(folder), Path(runs, name), config)
