"""The cleanlab side of curation.6: quality scores for the probabilities in a file; runs in its environment.

    python labels_cleanlab.py PROBABILITIES.npz SCORES.npz

The file holds `probabilities`, `given` and, for tokens, `row`; out comes an array by method: scores of rows
(low: likely wrong), and for rows also `issues`, those that `find_label_issues` would remove.
"""

import sys

import numpy as np
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores
from cleanlab.token_classification.rank import get_label_quality_scores as of_sentences

METHODS = ("self_confidence", "normalized_margin", "confidence_weighted_entropy")

read = np.load(sys.argv[1])
if "row" in read:
    cuts = np.flatnonzero(np.diff(read["row"])) + 1
    labels = [part.tolist() for part in np.split(read["given"], cuts)]
    found = {"self_confidence": of_sentences(labels, np.split(read["probabilities"], cuts))[0]}
else:
    given, probabilities = read["given"], read["probabilities"]
    found = {name: get_label_quality_scores(given, probabilities, method=name) for name in METHODS}
    found["issues"] = find_label_issues(given, probabilities, n_jobs=1)
np.savez(sys.argv[2], **{name: np.asarray(scores) for name, scores in found.items()})
