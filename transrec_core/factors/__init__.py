"""Matrix → factors."""

from transrec_core.factors.biases import Biases, fit_biases, fold_in_biases
from transrec_core.factors.grid import GridCell, factorize_grid
from transrec_core.factors.model import Factors
from transrec_core.factors.objectives import Explicit, Implicit, Objective
from transrec_core.factors.solver import factorize, objective_value

__all__ = [
    "Biases",
    "Explicit",
    "Factors",
    "GridCell",
    "Implicit",
    "Objective",
    "factorize",
    "factorize_grid",
    "fit_biases",
    "fold_in_biases",
    "objective_value",
]
