"""What the server logs while people work with marked data: nothing of it, whatever goes wrong."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

MARK = "zqx"

# Python runs this at its start, in the server and in the children that fit: faults that quote rows.
FAULTS = """
import transrec_core.recommending as recommending
import transrec_core.running as running

fit = running.run


def quoting_fit(source, target, settings, **rest):
    if settings.rank == 5:
        raise ValueError(f"cannot fit {source.frame.iloc[0].tolist()}")
    return fit(source, target, settings, **rest)


def quoting_history(domain, user, *rest, **more):
    raise KeyError(f"nothing of {user}: {domain.items[:3].tolist()}")


running.run, recommending.history = quoting_fit, quoting_history
"""


@pytest.fixture
def marked(tmp_path: Path) -> Path:
    """A pair with titles in which every cell that can be is marked, and a file to be refused."""
    rng = np.random.default_rng(0)
    users = [f"{MARK}-user-{n}@example.org" for n in range(120)]
    for side in ("source", "target"):
        rows = [
            (user, f"{MARK}-{side}-{item}", int(rng.integers(1, 6)))
            for user in users
            for item in rng.choice(30, 14, replace=False)
        ]
        frame = pd.DataFrame(rows, columns=[f"{MARK}_user", f"{MARK}_item", "rating"])
        frame.to_csv(tmp_path / f"{MARK}_{side}.csv", index=False)
    items = [f"{MARK}-{side}-{n}" for side in ("source", "target") for n in range(30)]
    titles = pd.DataFrame({"item_id": items, "title": [f"{MARK} title {i}" for i in items]})
    titles.to_csv(tmp_path / f"{MARK}_items.csv", index=False)
    (tmp_path / f"{MARK}_broken.csv").write_text(
        f'{MARK}_user,{MARK}_item,rating\n"{MARK}-never closed,a,3\n{MARK},b\n' * 3
    )
    return tmp_path


def test_the_log_of_a_session_holds_nothing_of_the_data(
    serve: Callable[..., Any], tab: Callable[..., Any], marked: Path
) -> None:
    faults = marked / "faults"
    faults.mkdir()
    (faults / "sitecustomize.py").write_text(FAULTS)
    path = os.pathsep.join([str(faults), *filter(None, [os.environ.get("PYTHONPATH")])])
    with serve(marked, environment={"PYTHONPATH": path}) as served:
        app = tab(address=served.address)
        app.open()
        app.upload("up_source", marked / f"{MARK}_broken.csv")
        app.shows(re.compile("could not be read|not usable|must be"))
        app.upload("up_source", marked / f"{MARK}_source.csv")
        app.shows("1,680 rows")
        app.upload("up_target", marked / f"{MARK}_target.csv")
        app.shows("120 users are in both domains")
        app.upload("up_items", marked / f"{MARK}_items.csv")
        app.shows("source and target")
        for rank in ("5", "4"):
            for key, value in (("fit_rank", rank), ("fit_lam", "0.05")):
                app.page.locator(f".st-key-{key} input").fill(value)
                app.page.keyboard.press("Tab")
                app.settle()
            app.fit()
            if rank == "5":
                app.shows("Something went wrong inside transrec")
        app.page.wait_for_selector(".st-key-verdict_banner")
        app.go("User")
        app.shows("Something went wrong inside transrec")
        shown = app.page.locator("[data-testid=stMain]").inner_text()
    log = served.log.read_text()
    assert MARK not in log
    assert "example.org" not in log
    # The two faults are there: under the page's id, with the line that broke.
    assert re.search(r"error [0-9a-f]{8} in a fit\n", log)
    page_error = re.search(r"error ([0-9a-f]{8}) on a page\n", log)
    assert page_error
    assert page_error[1] in shown
    assert "builtins.ValueError" in log
    assert "in quoting_history" in log
