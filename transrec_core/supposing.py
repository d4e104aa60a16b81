"""What a user would get had they done other things: scored again, never fitted again.

A user's own rows enter their scores by the fold-in and by what a method knows of source rows; all
that was learned of everybody else stays. So a question "what if" is the same fit, asked about one
user who is given by their rows instead of by their place in the data.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import scipy.sparse as sp

from transrec_core.columns import MAX_RATING
from transrec_core.data.interactions import Interactions
from transrec_core.data.linking import link
from transrec_core.errors import BadSettingError
from transrec_core.transfer.fitting import TransferFit

Changes = Mapping[str, float | None]
"""By item id: the rating that the user would have given (any number where interactions are not
rated), or ``None`` for an interaction that they would not have had."""


def what_if(
    fit: TransferFit, user: str, *, source: Changes | None = None, target: Changes | None = None
) -> TransferFit:
    """The same fit, asked about one user with changed interactions.

    Parameters
    ----------
    fit
        The fitted domains.
    user
        A user id, also one that neither domain knows.
    source, target
        What would be different in each domain; what is not named stays as it is.

    Returns
    -------
    A fit whose pair holds this user alone, for ``recommend_for``, ``explain`` and ``history``. A
    user left without any interaction in a domain is unknown there. Without changes the scores are
    those of ``fit``; by ``factor_map`` and ``neural_map`` up to what the last half-sweep of the
    source's factorization has left, so compare with a ``what_if`` without changes.

    Raises
    ------
    BadSettingError
        An unknown item, a rating that is no number, a drop of what the user never had, or changed
        words of a new item that is known by its text.
    """
    if source and fit.ground.by_words:
        raise BadSettingError(
            "What a new item's text says cannot be changed.", "Change its target interactions."
        )
    pair = fit.pair
    changed = link(
        _changed(pair.source, user, source or {}, "source"),
        _changed(pair.target, user, target or {}, "target"),
    )
    if not pair.linked:
        changed = changed.unlinked()
    knowledge = None if fit.knowledge is None else fit.knowledge.of(changed.source.matrix)
    return replace(fit, ground=replace(fit.ground, pair=changed), knowledge=knowledge)


def _changed(domain: Interactions, user: str, changes: Changes, name: str) -> Interactions:
    """The domain with this user alone, who is in it where they have anything there."""
    row = int(domain.rows_of([user])[0])
    matrix = domain.matrix
    own = slice(matrix.indptr[row], matrix.indptr[row + 1]) if row >= 0 else slice(0, 0)
    before = dict(zip(matrix.indices[own].tolist(), matrix.data[own].tolist(), strict=True))
    columns = domain.items.get_indexer(pd.Index(list(changes), dtype=object))
    after = dict(before)
    # Where interactions are not rated all have the same value.
    plain = float(matrix.data[0]) if matrix.nnz else 1.0
    for (item, value), column in zip(changes.items(), columns.tolist(), strict=True):
        if column < 0:
            raise BadSettingError(
                f"{item!r} is no {name} item.", f"Name items of the {name} domain."
            )
        if value is None:
            if column not in before:
                raise BadSettingError(
                    f"{user!r} has no {name} interaction with {item!r}.", "There is none to drop."
                )
            del after[column]
        elif not abs(value) <= MAX_RATING:
            raise BadSettingError(
                f"The rating of {item!r} is {value}.",
                f"It must be a number from {-MAX_RATING:,.0f} to {MAX_RATING:,.0f}.",
            )
        else:
            after[column] = float(value) if domain.explicit else plain
    # A user whose row was empty from the start is in the domain all the same.
    present = bool(after) or (row >= 0 and not before)
    taken = np.array(sorted(after), np.int32)
    values = np.array([after[column] for column in taken.tolist()], np.float32)
    ends = np.array([0, len(taken)] if present else [0], np.int32)
    cells = sp.csr_array((values, taken, ends), (int(present), matrix.shape[1]))
    users = pd.Index([user] if present else [], dtype=object)
    return Interactions(users, domain.items, cells, None, domain.explicit)
