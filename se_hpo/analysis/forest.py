"""Variance explained by a random forest, where scikit-learn is installed."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from se_hpo.analysis.estimates import Bootstrap

N_FOLDS = 5
MIN_AGENTS = 4 * N_FOLDS
N_TREES = 50

NOT_INSTALLED = "no forest: scikit-learn is missing (pip install 'se-hpo[analysis]')"


def forest_r2(
    agents: pd.DataFrame, names: list[str], how: Bootstrap
) -> tuple[float, str]:
    """Out-of-sample R^2 of a forest from hyperparameters to scores.

    1 - sum (y - prediction)^2 / sum (y - mean of y)^2 over five folds; agents of one SE
    stay in one fold, so that nothing about an SE is known before. Below 0 where
    hyperparameters predict nothing.

    Of rows with a score, `cluster` and hyperparameters, the columns `names`; NaN with
    the reason where there is none.
    """
    try:
        from sklearn.ensemble import RandomForestRegressor
    except ImportError:
        return math.nan, NOT_INSTALLED
    scores = agents["score"].to_numpy()
    fold = _folds(agents["cluster"].to_numpy(str), how)
    if len(scores) < MIN_AGENTS or len(np.unique(fold)) < N_FOLDS:
        return math.nan, f"no forest: fewer than {MIN_AGENTS} agents or {N_FOLDS} SEs"
    features = np.stack([_feature(agents[name]) for name in names], axis=1)
    seed = int(how.generator("forest").integers(2**31))
    predicted = np.empty(len(scores))
    for test in (fold == f for f in range(N_FOLDS)):
        forest = RandomForestRegressor(N_TREES, min_samples_leaf=3, random_state=seed)
        forest.fit(features[~test], scores[~test])
        predicted[test] = forest.predict(features[test])
    rest = ((scores - predicted) ** 2).sum()
    return float(1.0 - rest / ((scores - scores.mean()) ** 2).sum()), ""


def _folds(clusters: np.ndarray, how: Bootstrap) -> np.ndarray:
    """Fold of each agent: clusters are dealt out in a random order."""
    names, codes = np.unique(clusters, return_inverse=True)
    return (how.generator("folds").permutation(len(names)) % N_FOLDS)[codes]


def _feature(values: pd.Series) -> np.ndarray:
    """Ranks of numbers, codes of anything else; missing is below all."""
    numeric = pd.to_numeric(values, errors="coerce")
    if (numeric.isna() & values.notna()).any():
        return np.unique(values.astype(str).to_numpy(str), return_inverse=True)[1]
    return numeric.rank().fillna(0.0).to_numpy(float)
