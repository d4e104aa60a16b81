"""Factors with their ids, and zips that are the same for the same content."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pandas as pd
import pytest
from worlds import checkerboard, texts_of

from transrec_core.recommending import recommend_for
from transrec_core.reporting.archive import factor_files, factor_tables, zip_bytes
from transrec_core.transfer.fitting import FitSpec, fit_transfer


def fitted(method="row_map", feedback="implicit"):
    pair = checkerboard(users=60, items=20, overlap=40)
    spec = FitSpec(feedback, "als", 3, 0.02, 0.2, 1.0, 0)
    return fit_transfer(pair, spec, method=method, texts=texts_of(pair))


def test_a_zip_holds_its_files_in_order_and_is_the_same_each_time(monkeypatch):
    files = {"b.txt": b"two", "a/c.txt": b"\x00" * 5000}
    first = zip_bytes(files)
    monkeypatch.setattr("time.time", lambda: 2e9)
    assert zip_bytes(files) == first
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == files
        assert archive.namelist() == list(files)


@pytest.mark.parametrize("method", ["row_map", "joint", "ridge"])
def test_written_factors_give_the_scores_of_the_lists(method):
    fit = fitted(method)
    tables = factor_tables(fit)
    assert ("transfer_items" in tables) == (method == "joint")
    assert ("mapped_users" in tables) == (method != "ridge")
    items = tables.get("transfer_items", tables["target_items"]).set_index("item_id")
    if method == "ridge":
        return
    # Of somebody without target data the prior is the place.
    cold = str(fit.pair.source.users.difference(fit.pair.shared)[0])
    place = tables["mapped_users"].set_index("user_id").loc[cold].to_numpy(float)
    for row in recommend_for(fit, [cold], top=5, method=method).itertuples():
        assert items.loc[row.item_id].to_numpy(float) @ place == pytest.approx(row.score, rel=1e-4)


def test_files_say_their_shapes_and_hold_the_same_numbers_in_both_forms():
    fit = fitted(feedback="ratings")
    tables = factor_tables(fit)
    as_csv, as_npz = factor_files(fit, "csv"), factor_files(fit, "npz")
    for name, frame in tables.items():
        read = pd.read_csv(io.BytesIO(as_csv[f"{name}.csv"]), dtype={0: str})
        arrays = np.load(io.BytesIO(as_npz[f"{name}.npz"]))
        factors = [column for column in read if column.startswith("f")]
        np.testing.assert_allclose(read[factors], arrays["factors"], rtol=1e-6)
        assert read.iloc[:, 0].tolist() == arrays["ids"].tolist() == frame.iloc[:, 0].tolist()
        np.testing.assert_allclose(read["bias"], arrays["bias"])
        told = as_csv["README.txt"].decode()
        assert f"{name}.csv: {len(frame)} rows × {len(factors)} factors" in told
    assert factor_files(fit, "npz") == as_npz
    # A prediction as README says it: mean + biases + product.
    bias = fit.alone.biases
    users, items = tables["target_users"], tables["target_items"]
    expected = (
        bias.mean + users["bias"][4] + items["bias"][7]
        + users.loc[4, "f1":"f3"].to_numpy(float) @ items.loc[7, "f1":"f3"].to_numpy(float)
    )  # fmt: skip
    assert fit.alone.predict(np.array([4]), np.array([7]))[0] == pytest.approx(expected, rel=1e-5)


def test_ids_that_a_spreadsheet_would_run_are_disarmed():
    pair = checkerboard(users=60, items=20)
    ids = pair.source.users.to_numpy(object).copy()
    ids[0] = "=1+1"
    fit = fitted()
    object.__setattr__(fit.pair.source, "users", pd.Index(ids))
    assert b"\n'=1+1," in factor_files(fit, "csv")["source_users.csv"]


def test_where_items_are_new_the_ids_say_so():
    tables = factor_tables(fitted(), cold="items")
    assert tables["target_users"].columns[0] == "item_id"
    assert tables["target_items"].columns[0] == "user_id"
