"""A run folder in the browser, from the list of them to one user's list and back by its link."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from saved_runs import fitted

from transrec_core.engines.folder import open_run_folder, write_run_folder
from transrec_core.reporting.tables import csv_bytes
from transrec_core.settings import Settings

SETTINGS = Settings(method="factor_map", rank=3, lam=0.02, shots=(0, 1))


def test_a_run_folder_from_the_list_to_one_users_list(
    serve: Callable[..., Any], tab: Callable[..., Any], tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    write_run_folder(fitted(SETTINGS), runs / "tuesday & <b>co")
    (runs / "being written" / "lists").mkdir(parents=True)
    with serve(tmp_path, "--runs", str(runs)) as server:
        app = tab(address=server.address, width=1024, scheme="dark")
        app.open()
        app.page.get_by_text("Open a run folder").click()
        app.shows("neither run.json nor evidence.json")
        app.sound()
        app.shot("folders_offered")
        app.page.get_by_role("link", name="tuesday & <b>co").click()
        app.shows("What the run was")
        app.settle()
        app.sound()
        app.shot("folder_summary")

        part = app.page.get_by_role("tab")
        part.filter(has_text="Map").click()
        app.page.locator(".st-key-folder_map .nsewdrag").first.wait_for()
        app.page.locator(".st-key-folder_search input").fill("i007")
        app.shows("2 items found.")
        app.sound()
        app.shot("folder_map")

        # By keyboard alone, from the tabs on.
        part.filter(has_text="Map").focus()
        app.page.keyboard.press("ArrowRight")
        app.page.keyboard.press("Enter")
        app.page.locator(".st-key-folder_user input").focus()
        app.page.keyboard.type("u017")
        app.page.keyboard.press("Enter")
        app.shows("Placed")
        app.settle()
        app.sound()
        app.shot("folder_look_up")
        link = app.page.url
        assert "folder_user=u017" in link

        from playwright.sync_api import expect  # there, as a browser is

        for again in (app, tab(address=server.address)):
            again.page.goto(link)
            again.settle()
            again.shows("interactions in the source")
            expect(again.page.locator(".st-key-folder_user input")).to_have_value("u017")
        again.page.get_by_role("tab").filter(has_text="Export").click()
        again.page.locator(".st-key-folder_ids textarea").fill("u017\nu003")
        again.page.keyboard.press("Control+Enter")
        again.shows("20 rows for 2 users.")
        wanted = open_run_folder(runs / "tuesday & <b>co").lists_of("u017", "u003")
        assert again.download("folder_lists_csv") == csv_bytes(wanted)
        again.sound()
        again.shot("folder_export")
        # On other pages the link says nothing of the user.
        again.go("Compare")
        assert "u017" not in again.page.url
