"""Collective factorization: one ALS over [source·√α | target], users shared (Singh & Gordon 2008).

Every user has one row of factors for both catalogues, so that items of both lie in one space. The
prior of a user is the fold-in of their source row alone. With α = 0 the source is left out: the
model is exactly the target's own, and every prior is zero.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from transrec_core.factors.biases import fit_biases
from transrec_core.factors.model import Factors
from transrec_core.factors.solver import factorize
from transrec_core.transfer.knowledge import Joint, joint_cells

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from transrec_core.data.linking import DomainPair
    from transrec_core.transfer.fitting import FitSpec


def fit_joint(
    pair: "DomainPair",
    spec: "FitSpec",
    target_matrix: sp.csr_array,
    links: "NDArray[np.integer]",
    map_users: "NDArray[np.integer]",
) -> tuple[Joint, Factors]:
    """Factorize both catalogues together; the target's model is returned beside what is known.

    Parameters
    ----------
    pair
        The linked domains.
    spec
        How to factorize; ``source_weight`` is α.
    target_matrix
        Target data to learn from; rows of held-out users are empty.
    links
        Row in the source of each shared user.
    map_users
        Positions of the shared users that the biases are carried by.
    """
    source, alpha = pair.source.matrix, spec.source_weight
    if alpha == 0:
        alone = spec.factorize(target_matrix)
        nothing = np.zeros((source.shape[1], alone.rank), alone.item_factors.dtype)
        nobody = np.zeros((source.shape[0], alone.rank), alone.item_factors.dtype)
        line = None if alone.biases is None else (0.0, 0.0)
        biases = None if line is None else fit_biases(source)
        cells, user_biases = joint_cells(source, alpha, biases)
        of_source = Factors(nobody, nothing, alone.objective, alone.spec)
        return Joint(of_source, cells, line, user_biases, alpha, biases), alone
    n_source, n_target = source.shape[0], target_matrix.shape[0]
    # The source's users first, then the target's own.
    row_of = np.full(n_target, -1)
    row_of[pair.target_rows] = links
    own = np.flatnonzero(row_of < 0)
    row_of[own] = n_source + np.arange(len(own))
    place = sp.csr_array(
        (np.ones(n_target, np.float32), (row_of, np.arange(n_target))),
        shape=(n_source + len(own), n_target),
    )
    source_biases = target_biases = None
    own_cells = np.ones(target_matrix.nnz)
    if spec.feedback == "ratings":
        source_biases, target_biases = fit_biases(source), fit_biases(target_matrix)
        own_cells = target_biases.residual(target_matrix)
    weighted, user_biases = joint_cells(source, alpha, source_biases)
    moved = place @ sp.csr_array(
        (own_cells, target_matrix.indices, target_matrix.indptr), target_matrix.shape
    )
    padded_ends = np.append(source.indptr, np.full(len(own), source.indptr[-1]))
    padded = sp.csr_array(
        (weighted.data, source.indices, padded_ends), (n_source + len(own), source.shape[1])
    )
    both = sp.csr_array(sp.hstack([padded, moved], format="csr"))
    found = factorize(
        both,
        rank=min(spec.rank, *both.shape),
        lam=spec.lam,
        feedback=spec.feedback,
        biases=False,
        alpha0=spec.alpha0,
        confidence="values" if spec.feedback == "implicit" else "equal",
        regularization_exponent=spec.regularization_exponent,
        seed=spec.seed,
    )
    cut = source.shape[1]
    target_spec = found.spec
    if spec.feedback == "implicit":
        target_spec = replace(found.spec, confidence="equal")  # type: ignore[type-var]
    line = None
    if target_biases is not None and user_biases is not None:
        carried = pair.target_rows[map_users]
        line = _line(
            user_biases[links[map_users]],
            target_biases.user[carried],
            np.diff(target_matrix.indptr)[carried],
        )
    of_source = Factors(
        found.user_factors[:n_source], found.item_factors[:cut], found.objective, found.spec
    )
    of_target = Factors(
        found.user_factors[row_of],
        found.item_factors[cut:],
        found.objective,
        target_spec,
        biases=target_biases,
        converged=found.converged,
        gradient=found.gradient,
    )
    return Joint(of_source, weighted, line, user_biases, alpha, source_biases), of_target


def _line(
    x: "NDArray[np.float64]", y: "NDArray[np.float64]", weight: "NDArray[np.integer]"
) -> tuple[float, float]:
    """Intercept and slope of the weighted least-squares line; flat where x is constant."""
    if weight.sum() == 0:
        return 0.0, 0.0
    middle_x, middle_y = np.average(x, weights=weight), np.average(y, weights=weight)
    spread = float(np.average((x - middle_x) ** 2, weights=weight))
    if spread < 1e-12:
        return float(middle_y), 0.0
    slope = float(np.average((x - middle_x) * (y - middle_y), weights=weight)) / spread
    return float(middle_y - slope * middle_x), slope
