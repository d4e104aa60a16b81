"""Everything of a fit that programs may want, as files, and many files as one zip."""

import io
import zipfile
from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd

from transrec_core.columns import ITEM, USER
from transrec_core.factors.model import Factors
from transrec_core.reporting.tables import csv_bytes
from transrec_core.transfer.fitting import TransferFit
from transrec_core.transfer.scorers import PlacedUsers

README = "README.txt"
BIAS = "bias"
# The earliest time that a zip can hold: the same files always make the same bytes.
EPOCH = (1980, 1, 1, 0, 0, 0)


def zip_bytes(files: Mapping[str, bytes]) -> bytes:
    """Files by name as one zip, in their order; the same files give the same bytes."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    return stream.getvalue()


def factor_tables(fit: TransferFit, cold: str = "users") -> dict[str, pd.DataFrame]:
    """Ids and factors of both domains, by what each table holds.

    Returns
    -------
    ``source_users``, ``source_items``, ``target_users`` and ``target_items``: an id column, then
    ``f1`` … ``fk`` and, where there are biases, ``bias``. Where the transfer scores come from
    another model than the target's own, also ``transfer_users`` and ``transfer_items``; where a
    method places source users in the target's space, ``mapped_users``: where each is expected
    before any of their target data is seen. ``cold`` is as in ``Settings``: with ``items`` the
    rows called users are items, and the ids say so.
    """
    pair = fit.pair
    users, items = (USER, ITEM) if cold == "users" else (ITEM, USER)
    words = ("dimension" if fit.ground.nameless else "word") if fit.ground.by_words else items
    models: list[tuple[str, Factors]] = [("source", fit.source), ("target", fit.alone)]
    if fit.target is not fit.alone:
        models.append(("transfer", fit.target))
    tables = {}
    for name, model in models:
        domain = pair.source if name == "source" else pair.target
        column = words if name == "source" else items
        bias = model.biases
        tables[f"{name}_users"] = _table(
            users, domain.users, model.user_factors, None if bias is None else bias.user
        )
        tables[f"{name}_items"] = _table(
            column, domain.items, model.item_factors, None if bias is None else bias.item
        )
    if fit.knowledge is not None:
        everybody = np.arange(len(pair.source.users))
        scorer = fit.knowledge.scorer(fit.target, everybody)
        if isinstance(scorer, PlacedUsers):
            prior = scorer.prior
            tables["mapped_users"] = _table(users, pair.source.users, prior.factors, prior.bias)
    return tables


def _table(
    column: str, ids: pd.Index, factors: "np.ndarray", bias: "np.ndarray | None"
) -> pd.DataFrame:
    names = [f"f{number}" for number in range(1, factors.shape[1] + 1)]
    frame = pd.DataFrame(np.asarray(factors), columns=names)
    frame.insert(0, column, ids.astype(str).to_numpy(object))
    return frame if bias is None else frame.assign(**{BIAS: bias})


MEANINGS = {
    "source_users": "source, one row a user",
    "source_items": "source, one row an item",
    "target_users": "target alone, one row a user",
    "target_items": "target alone, one row an item",
    "transfer_users": "the model that transfer scores come from, one row a target user",
    "transfer_items": "the same, one row a target item",
    "mapped_users": "what the method expects of each source user before any target data is seen: "
    "the prior of the fold-in, in the space of the transfer scores' items",
}


def factor_files(
    fit: TransferFit, kind: Literal["csv", "npz"], cold: str = "users"
) -> dict[str, bytes]:
    """``factor_tables`` as files, with a README.txt of their shapes and meaning.

    ``npz`` holds ``ids`` (text), ``factors`` (rows × k) and, where there are any, ``bias``.
    """
    tables = factor_tables(fit, cold)
    files = {README: _factors_readme(fit, tables, kind, cold).encode()}
    for name, frame in tables.items():
        files[f"{name}.{kind}"] = csv_bytes(frame) if kind == "csv" else _npz(frame)
    return files


def _npz(frame: pd.DataFrame) -> bytes:
    factors = [name for name in frame.columns[1:] if name != BIAS]
    arrays = {
        "ids": frame.iloc[:, 0].to_numpy().astype(str),
        "factors": frame[factors].to_numpy(np.float32),
    }
    if BIAS in frame:
        arrays[BIAS] = frame[BIAS].to_numpy(np.float64)
    stream = io.BytesIO()
    np.savez_compressed(stream, allow_pickle=False, **arrays)
    return stream.getvalue()


def _factors_readme(
    fit: TransferFit, tables: Mapping[str, pd.DataFrame], kind: str, cold: str
) -> str:
    scale = fit.alone
    predicted = "user · item" + (" + shift" if scale.shift else "")
    if scale.biases is not None:
        predicted = f"{scale.biases.mean:.6g} + user bias + item bias + {predicted}"
    lines = [
        "Factors of both catalogues",
        "",
        f"Feedback {fit.feedback}, {fit.spec.model}, rank {fit.spec.rank}, λ {fit.spec.lam:g}, "
        f"transfer by {fit.method}.",
        f"A target-alone prediction is {predicted}."
        + (f" The shift is {scale.shift:g}." if scale.shift else ""),
        "Source and target have spaces of their own: compare within one, not between the two.",
        "",
    ]
    if cold == "items":
        lines += ["Items are new here: they stand in the rows called users, users in items.", ""]
    for name, frame in tables.items():
        k = frame.shape[1] - 1 - (BIAS in frame)
        lines.append(f"{name}.{kind}: {len(frame)} rows × {k} factors; {MEANINGS[name]}.")
    if "mapped_users" not in tables:
        lines.append(f"No mapped_users: {fit.method} places nobody in a space.")
    lines += [
        "",
        "CSV: an id, f1 to fk, bias where there is one. Text that a spreadsheet would run as a "
        "formula begins with '."
        if kind == "csv"
        else "npz: ids, factors (rows × k) and, where there is one, bias; numpy.load reads them.",
        "",
    ]
    return "\n".join(lines)
