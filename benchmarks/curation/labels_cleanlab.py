"""The cleanlab side of curation.6: quality scores for the probabilities in a file; runs in its environment.

    python labels_cleanlab.py PROBABILITIES.npz SCORES.npy

The file holds `probabilities`, `given` and, for tokens, `row`; out come scores of rows (low: likely wrong).
"""

import sys

import numpy as np
from cleanlab.rank import get_label_quality_scores
from cleanlab.token_classification.rank import get_label_quality_scores as of_sentences

read = np.load(sys.argv[1])
if "row" in read:
    cuts = np.flatnonzero(np.diff(read["row"])) + 1
    labels = [part.tolist() for part in np.split(read["given"], cuts)]
    scores, _ = of_sentences(labels, np.split(read["probabilities"], cuts))
else:
    scores = get_label_quality_scores(read["given"], read["probabilities"])
np.save(sys.argv[2], np.asarray(scores))
