"""What is measured beside the fits: which source to choose, and thinner targets."""

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import compute, jobs, sample, wording
from transrec_core.settings import Settings

QUICK = Settings(feedback="implicit", method="factor_map", rank=4, lam=0.02, shots=(0, 5))
OpenApp = Callable[..., AppTest]


def open_part(app: AppTest, part: str) -> AppTest:
    """Open a part of the Compare page."""
    app.session_state["compare_part"] = part
    app.run()
    assert not app.exception
    return app


def badges(app: AppTest) -> str:
    """What the badges say; they are short Markdown to Streamlit."""
    return " ".join(str(element.value) for element in app.get("markdown"))


def done(space: jobs.Workspace) -> None:
    assert space.job is not None
    space.job.join(120)
    assert space.job.status == "done", space.job.failure


def test_sources_are_ranked_and_the_table_goes_stale_with_them(
    open_app: OpenApp, fitted: jobs.Workspace
) -> None:
    app = open_app(fitted, "compare")
    open_part(app, "Sources")
    assert app.button(key="study_sources_go").disabled
    app.button(key="add_podcasts").click().run()
    assert not app.exception
    assert [c.name for c in fitted.candidates] == ["podcasts.csv"]
    compute.start_study(fitted, "sources", QUICK)
    done(fitted)
    table = compute.leaderboard(fitted)
    assert table is not None
    assert table["Source"].tolist() == ["films.csv", "podcasts.csv"]
    gain = table["Gain in NDCG@10"]
    assert gain[0].startswith("+0.")
    assert table["Over"].notna().all()
    app = open_part(open_app(fitted, "compare"), "Sources")
    assert len(app.get("plotly_chart")) == 1
    assert len(fitted.results) == 1  # a study is no fit
    assert wording.STALE_STUDY not in badges(app)
    # A third source makes the ranking an old one.
    assert compute.add_candidate(fitted, b"user,item\nx,a\ny,b\n", "strangers.csv")
    app.run()
    assert wording.STALE_STUDY in badges(app)
    compute.drop_candidate(fitted, 1)
    # The other source takes the place of the present one; the ranking holds, the run is stale.
    app.button(key="use_source_0").click().run()
    assert not app.exception
    assert fitted.source is not None
    assert fitted.source.name == "podcasts.csv"
    assert [c.name for c in fitted.candidates] == ["films.csv"]
    assert "The data changed: refit" in badges(app)
    assert wording.STALE_STUDY not in badges(app)
    app.button(key="use_source_0").click().run()
    assert fitted.source.name == "films.csv"
    assert "refit" not in badges(app)
    compute.drop_candidate(fitted, 0)
    app = open_part(open_app(fitted, "compare"), "Sources")
    assert app.button(key="study_sources_go").disabled


def test_a_source_that_shares_nobody_says_so_in_its_row(loaded: jobs.Workspace) -> None:
    assert compute.add_candidate(loaded, b"user,item\nx,a\ny,b\n", "strangers.csv")
    compute.start_study(loaded, "sources", QUICK)
    done(loaded)
    table = compute.leaderboard(loaded)
    assert table is not None
    last = table.iloc[-1]
    assert (last["Source"], last["Shared users"]) == ("strangers.csv", "0")
    assert "shared users" in last["Over"]


@pytest.mark.parametrize("content", [b"%PDF-1.7 ", b"user,item\n"])
def test_a_wrong_candidate_is_told_and_the_others_stay(
    open_app: OpenApp, fitted: jobs.Workspace, content: bytes
) -> None:
    podcasts = (sample.folder() / "podcasts.csv").read_bytes()
    assert compute.add_candidate(fitted, podcasts, "podcasts.csv")
    assert not compute.add_candidate(fitted, content, "wrong.csv")
    assert [c.name for c in fitted.candidates] == ["podcasts.csv"]
    app = open_part(open_app(fitted, "compare"), "Sources")
    said = [f"{error.value} {error.proto.title}" for error in app.get("error")]
    assert any("wrong.csv" in words.replace("\\", "").replace("\u2060", "") for words in said)


def test_thinner_targets_are_measured_and_shown(open_app: OpenApp, fitted: jobs.Workspace) -> None:
    compute.start_study(fitted, "sparsity", QUICK)
    done(fitted)
    table = compute.thinned(fitted)
    assert table is not None
    assert [cell.split(":")[0] for cell in table["Target ratings"]] == [
        "100 %", "50 %", "25 %", "10 %",
    ]  # fmt: skip
    assert set(table.columns) == {"Metric", "Target ratings", "0 known", "5 known"}
    app = open_part(open_app(fitted, "compare"), "Sources")
    assert app.get("dataframe")


def test_one_study_at_a_time(loaded: jobs.Workspace) -> None:
    compute.start_study(loaded, "sparsity", QUICK)
    first = loaded.job
    compute.start_study(loaded, "sparsity", QUICK)
    assert loaded.job is first
    assert first is not None
    first.cancel()
    first.join(180)
    assert first.status == "cancelled"
    assert compute.thinned(loaded) is None
