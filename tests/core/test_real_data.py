"""What the evidence says of real data and of the sample's planted truth."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

import transrec_core as tr
from transrec_core.settings import Settings

FIXED = Settings(feedback="implicit", rank=32, lam=0.006, shots=(0, 1, 2, 5))


def headline(folder, source: str, target: str, settings: Settings) -> tr.Evidence:
    return tr.compare(
        tr.read_ratings(folder / source), tr.read_ratings(folder / target), settings
    ).headline


@pytest.mark.parametrize("source", ["films.csv", "podcasts.csv"])
def test_the_samples_planted_truth_is_found(sample_data, source):
    truth = json.loads((sample_data / "truth.json").read_text())
    found = headline(sample_data, source, "books.csv", replace(FIXED, lam=0.02)).verdict
    if truth[source]["helps"]:
        assert found[0] == found[1] == "helps"
    else:
        assert "helps" not in found.values()


def test_anime_series_help_to_recommend_films(shared_data):
    found = headline(shared_data / "anime_tv_to_movie", "source.csv", "target.csv", FIXED)
    cold, warm = found.shots[0], found.shots[-1]
    assert cold.users == 550
    assert cold.verdict == "helps"
    assert cold.methods["factor_map"].mean >= 1.2 * cold.methods["popularity"].mean
    assert warm.methods["factor_map"].mean > warm.methods["target_only"].mean


def test_movielens_error_lies_where_the_literature_has_it(shared_data):
    """Surprise's README, 5-fold RMSE on ML-100K: baseline .944, SVD .934, SVD++ .919."""
    matrix = tr.read_ratings(shared_data / "ml100k" / "ratings.csv").interactions().matrix
    fold = np.random.default_rng(0).integers(0, 5, matrix.nnz)
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    errors = []
    for held in range(5):
        keep = fold != held
        train = sp.csr_array((matrix.data[keep], (rows[keep], matrix.indices[keep])), matrix.shape)
        fit = tr.factorize(train, rank=32, lam=0.05, regularization_exponent=1.0, sweeps=30)
        predicted = fit.predict(rows[~keep], matrix.indices[~keep])
        errors.append(np.sqrt(np.mean((predicted - matrix.data[~keep]) ** 2)))
    assert 0.90 < np.mean(errors) < 0.934
