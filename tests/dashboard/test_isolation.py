"""Sessions that work at once see their own data alone, and get what they would get one by one."""

import hashlib
import random
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest
from test_pages import text

from dashboard import compute, jobs
from dashboard.jobs import Side
from transrec_core.data.ratings import read_ratings
from transrec_core.limits import Limits
from transrec_core.recommending import recommend_for
from transrec_core.running import Run, run
from transrec_core.settings import Settings

OpenApp = Callable[..., AppTest]
QUICK = Settings(rank=2, lam=0.1, method="factor_map", shots=(0,), feedback="implicit")
STEPS = 200


def ratings(letter: str, seed: int) -> bytes:
    """Files of one size whatever the seed: who rates what, and how, differs."""
    draw = np.random.default_rng(seed)
    lines = ["user,item,rating"]
    for user in range(60):
        for item in sorted(draw.choice(24, 12, replace=False)):
            lines.append(f"u{seed}{user:02d},{letter}{item:02d},{draw.integers(1, 6)}")
    return "\n".join([*lines, ""]).encode()


def load(space: jobs.Workspace, seed: int) -> None:
    for side, letter in (("source", "s"), ("target", "t")):
        place: Side = "source" if side == "source" else "target"
        assert compute.load_side(space, place, ratings(letter, seed), f"{side}.csv")


@pytest.fixture(scope="module")
def runs() -> dict[int, Run]:
    """A run on the files of each seed."""
    return {
        seed: run(*(read_ratings(ratings(letter, seed), name="x.csv") for letter in "st"), QUICK)
        for seed in (1, 2, 3)
    }


# ── what a session sees ──────────────────────────────────────────────────────────────────────────


def digest(value: Any) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()[:16]


def seen(space: jobs.Workspace, what: str, draw: random.Random) -> Any:
    """What one look at a workspace, or one change of it, gives."""
    side: Side = draw.choice(("source", "target"))
    loaded, shown = space.side(side), space.shown
    match what:
        case "reload":
            load(space, draw.choice((1, 2, 3)))
        case "remap" if loaded is not None:
            other = {**loaded.mapping, "rating": draw.choice((None, "rating"))}
            compute.remap(space, side, other, draw.choice(("last", "mean")))
        case "swap":
            compute.swap_sides(space)
        case "refuse":
            assert not compute.load_side(space, side, b"\x89PNG\r\n\x1a\n" + bytes(64), "p.csv")
        case "show" if space.results:
            space.show(draw.choice(space.results))
        case "preview" if loaded is not None:
            return compute.preview(loaded).frame.to_csv()
        case "checks":
            return [(check.status, check.problem.message) for check in compute.checks(space)]
        case "sizes" if compute.both_usable(space):
            pair = compute.pair(space)
            return (list(pair.shared), compute.sizes(pair.source), compute.sizes(pair.target))
        case "list" if shown is not None:
            user = draw.choice(compute.users(shown))
            return compute.user_lists(shown, user, 5, ("factor_map",)).frames["factor_map"].to_csv()
        case "reasons" if shown is not None:
            user = draw.choice(compute.users(shown))
            frame = compute.user_lists(shown, user, 5, ("factor_map",)).frames["factor_map"]
            return compute.reasons(shown, user, frame["item_id"].iloc[0], method="factor_map")
        case "export" if shown is not None:
            return compute.lists_file(shown, None, 3, "auto", "csv")
        case "map" if shown is not None:
            return compute.item_map(shown).frame.to_csv()
    return space.inputs, sorted(space.refused)


LOOKS = ("reload", "remap", "swap", "refuse", "show", "preview", "checks", "sizes", "list",
         "reasons", "export", "map")  # fmt: skip


def session(seed: int, runs: dict[int, Run]) -> tuple[jobs.Workspace, list[str], random.Random]:
    """A workspace with data and two runs, what will be done in it, and its own dice."""
    space = jobs.REGISTER.create()
    load(space, seed)
    for place, run_ in enumerate((runs[seed], runs[seed % 3 + 1])):
        space.install(run_, space.inputs, ("source.csv", "target.csv"), f"{seed}{place}")
    plan = random.Random(seed)
    return space, [plan.choice(LOOKS) for _ in range(STEPS // 2)], random.Random(seed)


@pytest.fixture(scope="module")
def alone(runs: dict[int, Run]) -> dict[int, list[str]]:
    """What each session sees when nobody else is there."""
    told = {}
    for seed in (1, 2, 3):
        space, plan, dice = session(seed, runs)
        told[seed] = [digest(seen(space, what, dice)) for what in plan]
    return told


@pytest.mark.parametrize("order", [0])
def test_taking_turns_at_random_changes_nothing(
    runs: dict[int, Run], alone: dict[int, list[str]], order: int
) -> None:
    sessions = {seed: session(seed, runs) for seed in (1, 2, 3)}
    told: dict[int, list[str]] = {seed: [] for seed in sessions}
    turns = [seed for seed, (_, plan, _) in sessions.items() for _ in plan]
    random.Random(order).shuffle(turns)
    assert len(turns) >= STEPS
    for seed in turns:
        space, plan, dice = sessions[seed]
        told[seed].append(digest(seen(space, plan[len(told[seed])], dice)))
    assert told == alone
    assert len({tuple(found) for found in told.values()}) == 3


def test_working_at_once_in_threads_changes_nothing(
    runs: dict[int, Run], alone: dict[int, list[str]]
) -> None:
    told: dict[int, list[str]] = {}
    together = threading.Barrier(3)

    def work(seed: int) -> None:
        space, plan, dice = session(seed, runs)
        together.wait(20)
        told[seed] = [digest(seen(space, what, dice)) for what in plan]

    threads = [threading.Thread(target=work, args=(seed,)) for seed in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert told == alone


# ── files, links, fits ───────────────────────────────────────────────────────────────────────────


def test_the_same_name_and_size_is_not_the_same_file(open_app: OpenApp) -> None:
    assert len(ratings("s", 1)) == len(ratings("s", 2))
    spaces = [jobs.REGISTER.create() for _ in range(2)]
    for seed, space in enumerate(spaces, 1):
        load(space, seed)
    apps = [open_app(space) for space in spaces]
    for _ in range(2):
        for mine, app in enumerate(apps, 1):
            app.run()
            shown = " ".join(frame.value.to_csv() for frame in app.dataframe)
            assert f"u{mine}00" in shown
            assert f"u{3 - mine}00" not in shown
    assert spaces[0].inputs != spaces[1].inputs


def test_a_link_that_is_not_known_exactly_shows_nothing(
    open_app: OpenApp, fitted: jobs.Workspace
) -> None:
    id_ = fitted.id
    turned = id_.swapcase()
    for guess in (id_[:-1], id_ + "A", turned, f" {id_}", "../" + id_, "*", "%", id_[:8]):
        stranger = jobs.Workspace(guess)
        for page in ("data", "compare", "export"):
            app = open_app(stranger, page)
            assert "films.csv" not in text(app)
            assert not app.dataframe
            assert "cafe0001" not in text(app)


class TestOneLinkInSeveralTabs:
    """What a tab shows is its own; a link says which run it leads to."""

    @pytest.fixture
    def space(self, fitted: jobs.Workspace) -> jobs.Workspace:
        return fitted

    @pytest.fixture
    def refit(self, space: jobs.Workspace, small_run: Run) -> Callable[[str], jobs.Result]:
        """A fit that ends in another tab."""
        return lambda id_: space.install(small_run, space.inputs, ("films.csv", "books.csv"), id_)

    def on_show(self, app: AppTest) -> str:
        assert not app.exception
        (chip,) = re.findall(r"Run \d+ · run (\w+)", text(app))
        assert app.query_params["shown"] in (chip, [chip])
        return str(chip)

    def test_a_refit_elsewhere_changes_no_page_and_is_offered(
        self, open_app: OpenApp, space: jobs.Workspace, refit: Callable[[str], jobs.Result]
    ) -> None:
        reader = open_app(space, "compare")
        assert self.on_show(reader) == "cafe0001"
        assert "A newer run exists" not in text(reader)
        refit("cafe0002")
        for page in ("compare", "user", "export", "data"):
            reader.switch_page(f"views/{page}.py").run()
            assert self.on_show(reader) == "cafe0001"
        assert "A newer run exists: Run 2" in text(reader)
        reader.button(key="show_newer").click().run()
        assert self.on_show(reader) == "cafe0002"
        assert "A newer run exists" not in text(reader)

    def test_a_link_leads_to_the_run_that_it_names(
        self, open_app: OpenApp, space: jobs.Workspace, refit: Callable[[str], jobs.Result]
    ) -> None:
        refit("cafe0002")
        app = AppTest.from_file(Path(jobs.__file__).with_name("app.py"), default_timeout=20)
        app.query_params["run"], app.query_params["shown"] = space.id, "cafe0001"
        app.run()
        assert self.on_show(app) == "cafe0001"
        assert f"run={space.id}&shown=cafe0001" in " ".join(code.value for code in app.code)
        # One without, as links were once, leads to what was shown last.
        assert self.on_show(open_app(space)) == "cafe0002"

    def test_going_back_shows_the_run_before(
        self, open_app: OpenApp, space: jobs.Workspace, refit: Callable[[str], jobs.Result]
    ) -> None:
        refit("cafe0002")
        app = open_app(space, "user")
        app.button(key="restore_cafe0001").click().run()
        assert self.on_show(app) == "cafe0001"
        assert "A newer run exists" not in text(app)  # it was left on purpose
        app.query_params["shown"] = "cafe0002"
        assert self.on_show(app.run()) == "cafe0002"

    def test_looking_at_an_earlier_run_changes_no_other_tab(
        self, open_app: OpenApp, space: jobs.Workspace, refit: Callable[[str], jobs.Result]
    ) -> None:
        refit("cafe0002")
        one, other = open_app(space, "user"), open_app(space, "user")
        one.button(key="restore_cafe0001").click().run()
        assert self.on_show(one) == "cafe0001"
        assert self.on_show(other.run()) == "cafe0002"

    def test_a_run_that_is_no_longer_kept_gives_way_to_the_newest(
        self, open_app: OpenApp, space: jobs.Workspace, refit: Callable[[str], jobs.Result]
    ) -> None:
        reader = open_app(space, "compare")
        for number in range(Limits.kept_runs):
            refit(f"beef000{number}")
        assert self.on_show(reader.run()) == f"beef000{Limits.kept_runs - 1}"
        (said,) = [box for box in reader.warning if "You see the newest." in box.value]
        assert "no longer here" in str(said.proto)
        assert "A newer run exists" not in text(reader)

    def test_ones_own_fit_is_shown_when_it_is_done(
        self,
        open_app: OpenApp,
        space: jobs.Workspace,
        refit: Callable[[str], jobs.Result],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        job = MagicMock(id="cafe0002", kind="fit", status="done", active=False, failure=None)

        def start(settings: Settings, warm: jobs.Result | None) -> MagicMock:
            space.job = job
            refit(job.id)
            return job

        monkeypatch.setattr(space, "start", start)
        one, other = open_app(space), open_app(space)
        one.button(key="fit_go").click().run()
        assert self.on_show(one) == "cafe0002"
        assert self.on_show(other.run()) == "cafe0001"
        space.job = None


@pytest.mark.parametrize("seeds", [(1, 2)])
def test_fits_that_are_asked_for_at_once_work_one_by_one_and_give_what_they_give_alone(
    runs: dict[int, Run], seeds: tuple[int, ...]
) -> None:
    spaces = [jobs.REGISTER.create() for _ in seeds]
    for seed, space in zip(seeds, spaces, strict=True):
        load(space, seed)
    started = [space.start(QUICK) for space in spaces]
    most = 0
    while any(job.active for job in started):
        at_work = [job for job in started if job.status in ("running", "cancelling")]
        most = max(most, len(at_work))
        started[-1].join(0.02)
    assert most == 1
    assert [job.status for job in started] == ["done", "done"]
    for seed, space in zip(seeds, spaces, strict=True):
        assert space.shown is not None
        found, expected = (
            recommend_for(one.fit, list(one.pair.source.users), top=10, chosen=one.chosen)
            for one in (space.shown.run, runs[seed])
        )
        pd.testing.assert_frame_equal(found, expected, check_exact=True)
