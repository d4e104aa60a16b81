"""One tab, many refits of the sample, every page after each: does the server's memory stay flat?

    pip install '.[test]'
    python tests/benchmarks/refits.py [--refits 30] [--close]

The server runs as ``transrec app`` starts it; a client that speaks Streamlit's protocol looks at
the pages as a browser would, without a browser's own cost. Prints one JSON line: resident MiB of
the server when the sample is loaded, after each refit and, with ``--close``, when the tab has been
gone for a while and when the workspace was forgotten; how many runs were in memory; and how
far memory rose above that after the fifth refit. Exits with 1 where that is more than 24 MiB, or
where more runs were in memory than a workspace keeps and one.
"""

import argparse
import asyncio
import gc
import json
import os
import sys
import threading
import traceback
from dataclasses import replace
from typing import Any

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

from dashboard import compute, jobs, launch, mends
from transrec_core.limits import Limits
from transrec_core.running import Run
from transrec_core.settings import Settings
from transrec_core.system import process_memory

DONE = ForwardMsg.FINISHED_SUCCESSFULLY
HOST = "127.0.0.1"
WARM = 5
"""Refits until a workspace keeps as many runs as it ever will, and every module is loaded."""
ROOM_MIB = 24
"""By how much memory may go up and down after that; one kept run of the sample is about 8 MiB."""
QUICK = Settings(rank=16, method="factor_map")
WAIT_SECONDS = 5.0
"""How long the session of a closed tab waits here, and between looks for such sessions."""


class Tab:
    """A tab of the dashboard that shows one workspace."""

    def __init__(self, connection: ClientConnection, id_: str) -> None:
        self.connection = connection
        self.id = id_
        self.pages: dict[str, str] = {}

    async def look(self, page: str) -> None:
        """Open a page and wait until it is drawn."""
        asked = BackMsg()
        asked.rerun_script.query_string = f"run={self.id}"
        asked.rerun_script.page_name = page
        asked.rerun_script.page_script_hash = self.pages.get(page, "")
        await self.connection.send(asked.SerializeToString())
        while True:
            told = ForwardMsg.FromString(bytes(await self.connection.recv(decode=False)))
            kind = told.WhichOneof("type")
            if kind == "navigation":
                found = told.navigation.app_pages
                self.pages = {one.url_pathname: one.page_script_hash for one in found}
            elif kind == "delta" and told.delta.new_element.WhichOneof("type") == "exception":
                raise RuntimeError(told.delta.new_element.exception.message)
            elif kind == "script_finished" and told.script_finished == DONE:
                return


def measure() -> tuple[int, int]:
    """Resident MiB of this process, and how many runs it holds."""
    gc.collect()
    runs = sum(isinstance(one, Run) for one in gc.get_objects())
    return process_memory() >> 20, runs


async def refit(port: int, refits: int, close: bool) -> dict[str, Any]:
    """Refit again and again, and tell what memory did."""
    while launch.port_is_free(HOST, port):
        await asyncio.sleep(0.1)
    space = jobs.REGISTER.create()
    compute.load_sample(space)
    seen = []
    address = f"ws://{HOST}:{port}/_stcore/stream"
    async with connect(address, max_size=None, subprotocols=["streamlit"]) as connection:
        tab = Tab(connection, space.id)
        await tab.look("")
        loaded, _ = measure()
        for number in range(refits):
            job = space.start(replace(QUICK, lam=0.05 + number / 1000))
            await asyncio.to_thread(job.join)
            assert job.status == "done", job.failure
            del job
            for page in [*tab.pages]:
                await tab.look(page)
            seen.append(measure())
            sys.stderr.write(f"refit {number + 1}: {seen[-1][0]} MiB, {seen[-1][1]} runs\n")
    memory, runs = zip(*seen, strict=True)
    told: dict[str, Any] = {"loaded": loaded, "MiB": memory, "runs": runs}
    told["grown"] = max(memory[WARM - 1 :]) - memory[WARM - 1] if refits >= WARM else None
    if close:
        await asyncio.sleep(4 * WAIT_SECONDS)
        told["tab gone"], _ = measure()
        jobs.REGISTER.forget(space)
        del space, tab
        jobs.give_memory_back()
        told["forgotten"], told["runs at the end"] = measure()
    return told


def main() -> None:
    """Start a server, use it from a thread beside it, and end the process with the judgement."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--refits", type=int, default=30)
    parser.add_argument("--close", action="store_true")
    options = parser.parse_args()
    port = launch.choose_port(HOST, None)
    mends.CLOSED_SECONDS = launch.MEND_SECONDS = WAIT_SECONDS

    def drive() -> None:
        code = 1
        try:
            told = asyncio.run(refit(port, options.refits, options.close))
            print(json.dumps(told), flush=True)
            kept = Limits.current().kept_runs
            code = int((told["grown"] or 0) > ROOM_MIB or max(told["runs"]) > kept + 1)
        except BaseException:
            traceback.print_exc()
        finally:
            jobs.REGISTER.close()
            sys.stderr.flush()
            os._exit(code)

    threading.Thread(target=drive, daemon=True).start()
    launch.launch(HOST, port, open_browser=False, keep=False)


if __name__ == "__main__":
    main()
