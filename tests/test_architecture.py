"""Rules about what may import or use what, read from the source with ``ast``.

A rule is a function from a module to ``(line, what is wrong)``. Beside each rule stand sources
that break it and sources that keep it, so that a rule that has gone blind fails too.
"""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("transrec_core", "dashboard")

# What may stand at the top of the repository, and what must.
TOP_LEVEL_REQUIRED = frozenset(
    {
        ".ci", ".editorconfig", ".gitignore", ".pre-commit-config.yaml", "CHANGELOG.md",
        "CONTRIBUTING.md", "LICENSE", "README.md", "dashboard", "pyproject.toml", "sample_data",
        "tests", "transrec_core",
    }
)  # fmt: skip
TOP_LEVEL_ALLOWED = TOP_LEVEL_REQUIRED | {".gitattributes", ".github"}

# Stages of the core, and the later ones that each must not know.
LATER_STAGES = {
    "data": (
        "factors", "content", "transfer", "evidence", "reporting", "recommending", "running",
        "persistence", "engines", "cli",
    ),
    "factors": (
        "content", "transfer", "evidence", "reporting", "recommending", "running", "persistence",
        "engines", "cli",
    ),
    "content": (
        "transfer", "evidence", "reporting", "recommending", "running", "persistence",
        "engines", "cli",
    ),
    "transfer": ("evidence", "reporting", "running", "persistence", "engines", "cli"),
    "evidence": ("reporting", "persistence", "engines", "cli"),
    "reporting": ("persistence", "engines", "cli"),
    "persistence": ("engines", "cli"),
    "engines": ("cli",),
}  # fmt: skip


@dataclass(frozen=True)
class Module:
    """One source file: its path from the top of the repository, and its syntax tree."""

    path: str
    tree: ast.Module

    @property
    def package(self) -> str:
        """Dotted name of the folder that the file lies in."""
        return ".".join(Path(self.path).parent.parts)


Found = Iterator[tuple[int, str]]


def module(path: str, source: str) -> Module:
    return Module(path, ast.parse(source, path))


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in (
        "TYPE_CHECKING",
        "typing.TYPE_CHECKING",
    )


@dataclass(frozen=True)
class Import:
    """One imported name, absolute; ``from a import b`` is ``a.b``."""

    line: int
    name: str
    in_function: bool
    for_types: bool

    def of(self, *names: str) -> bool:
        return any(self.name == name or self.name.startswith(f"{name}.") for name in names)


def imports(code: Module) -> Iterator[Import]:
    def walk(node: ast.AST, in_function: bool, for_types: bool) -> Iterator[Import]:
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = code.package.split(".")
                parents = parents[: len(parents) - node.level + 1]
                base = ".".join([*parents, base] if base else parents)
            names = [f"{base}.{alias.name}" for alias in node.names]
        elif (
            isinstance(node, ast.Call)
            and ast.unparse(node.func).split(".")[-1] in ("import_module", "__import__")
            and node.args
            and isinstance(node.args[0], ast.Constant)
        ):
            names = [str(node.args[0].value)]
        for name in names:
            yield Import(getattr(node, "lineno", 0), name, in_function, for_types)
        in_function |= isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if is_type_checking(node):
            assert isinstance(node, ast.If)
            for child in node.body:
                yield from walk(child, in_function, True)
            for child in node.orelse:
                yield from walk(child, in_function, for_types)
        else:
            for inner in ast.iter_child_nodes(node):
                yield from walk(inner, in_function, for_types)

    return walk(code.tree, False, False)


def uses(code: Module, *names: str) -> Found:
    """Where a name is read, called, imported or reached as an attribute."""
    for node in ast.walk(code.tree):
        if isinstance(node, ast.Attribute) and node.attr in names:
            yield node.lineno, node.attr
        elif isinstance(node, ast.Name) and node.id in names:
            yield node.lineno, node.id
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if alias.name in names:
                    yield node.lineno, alias.name


def core_knows_no_face(code: Module) -> Found:
    if not code.path.startswith("transrec_core/"):
        return
    for found in imports(code):
        lazy_launch = (
            code.path == "transrec_core/cli.py"
            and found.in_function
            and found.of("dashboard.launch")
        )
        if found.of("streamlit", "plotly", "dashboard") and not lazy_launch:
            yield found.line, f"the core imports {found.name}"


def data_flows_one_way(code: Module) -> Found:
    parts = Path(code.path).with_suffix("").parts
    if parts[0] != "transrec_core" or len(parts) < 2 or parts[1] not in LATER_STAGES:
        return
    stage = parts[1]
    later = tuple(f"transrec_core.{name}" for name in LATER_STAGES[stage])
    for found in imports(code):
        if found.of(*later):
            yield found.line, f"{stage} imports {found.name}, a later stage"
        elif found.name == "transrec_core" or (
            found.name.count(".") == 1
            and found.of("transrec_core")
            and not (ROOT / found.name.replace(".", "/")).is_dir()
            and not (ROOT / f"{found.name.replace('.', '/')}.py").is_file()
        ):
            yield found.line, f"{stage} imports {found.name} from the public surface"


def pages_compute_nothing(code: Module) -> Found:
    if not code.path.startswith(("dashboard/views/", "dashboard/components/")):
        return
    computing = (
        "numpy", "scipy", "sklearn", "pandas",
        "transrec_core.factors", "transrec_core.transfer", "transrec_core.evidence",
    )  # fmt: skip
    for found in imports(code):
        # An import for annotations alone computes nothing.
        if (found.of(*computing) or found.name == "transrec_core") and not found.for_types:
            yield found.line, f"a page imports {found.name}; dashboard.compute is for that"


def session_state_has_one_home(code: Module) -> Found:
    if code.path != "dashboard/state.py":
        for line, name in uses(code, "session_state"):
            yield line, f"{name} outside dashboard/state.py"


def caches_have_one_home(code: Module) -> Found:
    if not code.path.startswith("dashboard/compute/"):
        for line, name in uses(code, "cache_data", "cache_resource"):
            yield line, f"{name} outside dashboard/compute"


def charts_know_no_streamlit(code: Module) -> Found:
    if code.path.startswith("dashboard/charts/"):
        for found in imports(code):
            if found.of("streamlit"):
                yield found.line, f"charts import {found.name}"


def no_raw_html(code: Module) -> Found:
    for node in ast.walk(code.tree):
        if isinstance(node, ast.keyword) and node.arg == "unsafe_allow_html":
            yield node.lineno, "unsafe_allow_html"
        elif isinstance(node, ast.Constant) and node.value == "unsafe_allow_html":
            yield node.lineno, "unsafe_allow_html by name"


# Calls that run what a text says are ruff's to find (S102, S301, S302, S306, S307, S506, S602,
# S604, S605); the rules here are about what it does not know, and that nobody tells it to be quiet.
PICKLING = ("dashboard/jobs.py", "dashboard/reading.py")
"""What takes results from child processes of our own."""
QUIET_ALLOWED = {
    ("dashboard/jobs.py", "self.result = pickle.load(file)  # noqa: S301"),
    ("dashboard/reading.py", "return pickle.loads(packed, buffers=buffers)  # noqa: S301"),
}
LISTENED = r"S(102|2\d\d|3(?!11)\d\d|4\d\d|5\d\d|6\d\d|7\d\d)"


def no_pickle_but_our_own_childs(code: Module) -> Found:
    for found in imports(code):
        if found.of("pickle", "_pickle") and code.path not in PICKLING:
            yield found.line, f"pickle outside {' and '.join(PICKLING)}"
        elif found.of("pandas.read_pickle"):
            yield found.line, "read_pickle runs whatever the file says"
    for node in ast.walk(code.tree):
        if isinstance(node, ast.Attribute) and node.attr == "read_pickle":
            yield node.lineno, "read_pickle runs whatever the file says"


def no_library_that_unpickles(code: Module) -> Found:
    for found in imports(code):
        if found.of(
            "joblib", "dill", "cloudpickle", "shelve", "marshal", "jsonpickle", "torch",
        ):  # fmt: skip
            yield found.line, f"{found.name} loads files that can run code"


def arrays_are_read_as_numbers(code: Module) -> Found:
    for node in ast.walk(code.tree):
        if not isinstance(node, ast.Call):
            continue
        allowed = [word.value for word in node.keywords if word.arg == "allow_pickle"]
        refused = [isinstance(v, ast.Constant) and v.value is False for v in allowed]
        called = ast.unparse(node.func)
        reads = called in ("np.load", "numpy.load") or called.endswith("format.read_array")
        if not all(refused) or (reads and not refused):
            yield node.lineno, f"{called}() without allow_pickle=False"


def no_unescaped_table(code: Module) -> Found:
    for node in ast.walk(code.tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("to_html"):
            for word in node.keywords:
                if word.arg == "escape" and not (
                    isinstance(word.value, ast.Constant) and word.value.value is True
                ):
                    yield node.lineno, "to_html() with escape other than True"


def archives_are_read_not_unpacked(code: Module) -> Found:
    for node in ast.walk(code.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            on_text = isinstance(node.func.value, ast.Attribute) and node.func.value.attr == "str"
            if node.func.attr in ("extract", "extractall", "unpack_archive") and not on_text:
                yield node.lineno, f"{node.func.attr}() writes where an archive says"


def no_links_from_data(code: Module) -> Found:
    link = re.compile(r"\]\([^)\n]*[\0{%]|(href|src)\s*=\s*[\"']?[^\"'>\s]*[\0{%]")
    for node in ast.walk(code.tree):
        text = ""
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr == "link_button":
                yield node.lineno, "link_button leads away from the dashboard"
            elif node.func.attr == "page_link" and not (
                node.args
                and isinstance(node.args[0], ast.Constant)
                and str(node.args[0].value).startswith("views/")
            ):
                yield node.lineno, "page_link to something other than a page of ours by name"
        elif isinstance(node, ast.JoinedStr):
            parts = [v.value if isinstance(v, ast.Constant) else "\0" for v in node.values]
            text = "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        if link.search(text):
            yield node.lineno, "a link whose address comes from a variable"


def no_evaluated_text(code: Module) -> Found:
    for node in ast.walk(code.tree):
        if isinstance(node, ast.Call):
            called = node.func
            if isinstance(called, ast.Attribute) and called.attr in ("eval", "query"):
                yield node.lineno, f".{called.attr}() evaluates text"
            elif isinstance(called, ast.Name) and called.id in ("eval", "exec"):
                yield node.lineno, f"{called.id}() evaluates text"


SYSTEM = "transrec_core/system.py"
SYSTEM_MODULES = (
    "ctypes", "fcntl", "grp", "msvcrt", "posix", "psutil", "pwd", "resource", "signal", "termios",
    "winreg",
)  # fmt: skip
# What os has on some systems alone, or what differs between them.
SYSTEM_CALLS = re.compile(
    r"(os|posix)\.(sysconf|nice|[gs]etpriority|fork\w*|kill\w*|wait\w*|W[A-Z]+|set[a-z]*[gsu]id|"
    r"get[a-z]*[gu]id|getpgrp|umask|l?chown|fchmod|mkfifo|sched_\w+|statvfs|uname|name|cpu_count|"
    r"process_cpu_count|O_[A-Z]+|open|startfile|getloadavg|pread|pwrite|symlink|link|readlink)"
    r"|sys\.(platform|getwindowsversion)|platform\.\w+|tempfile\.NamedTemporaryFile"
)
SYSTEM_FILES = re.compile(r"/(proc|sys|dev)(/|$)")


def systems_differ_in_one_module(code: Module) -> Found:
    if code.path == SYSTEM:
        return
    for found in imports(code):
        if found.of(*SYSTEM_MODULES):
            yield found.line, f"{found.name}, which differs between systems, outside {SYSTEM}"
    for node in ast.walk(code.tree):
        if isinstance(node, ast.Attribute) and SYSTEM_CALLS.fullmatch(ast.unparse(node)):
            yield node.lineno, f"{ast.unparse(node)} outside {SYSTEM}"
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and SYSTEM_FILES.match(node.value)
        ):
            yield node.lineno, f"{node.value} outside {SYSTEM}"


def text_has_an_encoding(code: Module) -> Found:
    """What a system takes for one by default differs: cp1252 on Windows."""
    for node in ast.walk(code.tree):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func).split(".")[-1]
        named = any(word.arg == "encoding" for word in node.keywords)
        if called in ("read_text", "write_text"):
            given = node.args[0 if called == "read_text" else 1 :]
            if not named and not given:
                yield node.lineno, f"{called}() without an encoding"
        elif called == "open" and isinstance(node.func, ast.Name) and not named:
            mode = [*node.args[1:2], *(w.value for w in node.keywords if w.arg == "mode")]
            if not (mode and isinstance(mode[0], ast.Constant) and "b" in str(mode[0].value)):
                yield node.lineno, "open() of text without an encoding"


def no_print(code: Module) -> Found:
    for node in ast.walk(code.tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "print"
        ):
            yield node.lineno, "print() in a package"


@dataclass(frozen=True)
class Rule:
    """A check, and sources (path, text) whose last line breaks it, or which keep it."""

    check: Callable[[Module], Found]
    broken: tuple[tuple[str, str], ...]
    kept: tuple[tuple[str, str], ...]


RULES = (
    Rule(
        core_knows_no_face,
        broken=(
            ("transrec_core/space.py", "import os\nimport streamlit as st"),
            ("transrec_core/reporting/tables.py", "import plotly.graph_objects as go"),
            ("transrec_core/running.py", "from dashboard import jobs"),
            ("transrec_core/running.py", "def run():\n    from dashboard.launch import launch"),
            ("transrec_core/cli.py", "from dashboard.launch import launch"),
            ("transrec_core/cli.py", "def app():\n    import dashboard.jobs"),
            ("transrec_core/cli.py", "def app():\n    import streamlit"),
            ("transrec_core/cli.py", "importlib.import_module('streamlit')"),
            ("transrec_core/data/items.py", "from ...dashboard import charts"),
        ),
        kept=(
            ("transrec_core/cli.py", "def app():\n    from dashboard.launch import launch"),
            ("transrec_core/cli.py", "def app():\n    from dashboard import launch"),
            ("transrec_core/space.py", "import numpy as np\nplotly = 1"),
            ("dashboard/app.py", "import streamlit as st"),
        ),
    ),
    Rule(
        data_flows_one_way,
        broken=(
            ("transrec_core/data/items.py", "from transrec_core.factors import Factors"),
            ("transrec_core/data/items.py", "from ..evidence.results import Comparison"),
            ("transrec_core/data/items.py", "import transrec_core"),
            ("transrec_core/data/items.py", "from transrec_core import factorize"),
            ("transrec_core/factors/model.py", "from transrec_core import transfer"),
            ("transrec_core/factors/model.py", "from transrec_core.content import Topics"),
            ("transrec_core/content/topics.py", "from transrec_core.transfer import gate"),
            ("transrec_core/content/similar.py", "from ..evidence.metrics import ndcg"),
            ("transrec_core/factors/model.py", "import transrec_core.recommending"),
            ("transrec_core/transfer/gate.py", "import transrec_core.evidence.splitting"),
            ("transrec_core/evidence/results.py", "def f():\n    import transrec_core.reporting"),
            ("transrec_core/reporting/tables.py", "from transrec_core.cli import main"),
        ),
        kept=(
            ("transrec_core/data/items.py", "from transrec_core.errors import BadRatingsError"),
            ("transrec_core/data/items.py", "from transrec_core import errors"),
            ("transrec_core/factors/model.py", "from .kernels import half_step"),
            ("transrec_core/content/similar.py", "from transrec_core.factors import geometry"),
            ("transrec_core/evidence/results.py", "from transrec_core.transfer import fold_in"),
            ("transrec_core/cli.py", "import transrec_core as tr"),
            ("transrec_core/running.py", "from transrec_core.evidence import results"),
        ),
    ),
    Rule(
        pages_compute_nothing,
        broken=(
            ("dashboard/views/space.py", "import numpy as np"),
            ("dashboard/views/space.py", "from scipy.sparse import csr_matrix"),
            ("dashboard/components/table.py", "from sklearn import decomposition"),
            ("dashboard/components/table.py", "import pandas"),
            ("dashboard/views/user.py", "from transrec_core.transfer import fitting"),
            ("dashboard/views/user.py", "from transrec_core import factors"),
            ("dashboard/views/user.py", "import transrec_core.evidence.results"),
            ("dashboard/views/user.py", "import transrec_core as tr"),
            ("dashboard/views/user.py", "if TYPE_CHECKING:\n    pass\nelse:\n    import pandas"),
        ),
        kept=(
            ("dashboard/views/space.py", "from dashboard import compute\nimport streamlit as st"),
            ("dashboard/views/space.py", "if TYPE_CHECKING:\n    import pandas as pd"),
            ("dashboard/views/space.py", "from transrec_core.errors import TransrecError"),
            ("dashboard/compute/people.py", "import numpy as np"),
        ),
    ),
    Rule(
        session_state_has_one_home,
        broken=(
            ("dashboard/views/data.py", "x = 1\nst.session_state['run'] = x"),
            ("dashboard/jobs.py", "from streamlit import session_state"),
            ("dashboard/app.py", "streamlit.session_state.run = 1"),
        ),
        kept=(
            ("dashboard/state.py", "st.session_state['run'] = 1"),
            ("dashboard/jobs.py", "'''Leaves session_state alone.'''"),
        ),
    ),
    Rule(
        caches_have_one_home,
        broken=(
            ("dashboard/views/data.py", "import streamlit as st\n@st.cache_data\ndef f(): ..."),
            ("dashboard/jobs.py", "from streamlit import cache_resource"),
        ),
        kept=(("dashboard/compute/people.py", "@st.cache_data(max_entries=8)\ndef f(): ..."),),
    ),
    Rule(
        charts_know_no_streamlit,
        broken=(
            ("dashboard/charts/space.py", "import streamlit as st"),
            ("dashboard/charts/space.py", "from streamlit.delta_generator import DeltaGenerator"),
        ),
        kept=(
            ("dashboard/charts/space.py", "import plotly.graph_objects as go"),
            ("dashboard/app.py", "import streamlit as st"),
        ),
    ),
    Rule(
        no_raw_html,
        broken=(
            ("dashboard/app.py", "st.markdown(text, unsafe_allow_html=True)"),
            ("dashboard/app.py", "st.markdown(text, **{'unsafe_allow_html': True})"),
        ),
        kept=(("dashboard/app.py", "st.markdown(text)"),),
    ),
    Rule(
        no_pickle_but_our_own_childs,
        broken=(
            ("transrec_core/data/reading.py", "pd.read_pickle(path)"),
            ("dashboard/jobs.py", "from pandas import read_pickle"),
            ("transrec_core/persistence/saved.py", "import pickle"),
            ("transrec_core/persistence/saved.py", "def load():\n    from pickle import loads"),
            ("dashboard/compute/runs.py", "importlib.import_module('pickle')"),
        ),
        kept=(
            ("transrec_core/data/reading.py", "pd.read_csv(path)\nkind = 'a Python pickle'"),
            ("dashboard/jobs.py", "import pickle"),
        ),
    ),
    Rule(
        no_library_that_unpickles,
        broken=(
            ("transrec_core/running.py", "import joblib"),
            ("transrec_core/running.py", "from cloudpickle import dumps"),
            ("dashboard/jobs.py", "def f():\n    import torch.nn"),
            ("dashboard/jobs.py", "import shelve"),
        ),
        kept=(("transrec_core/running.py", "import threadpoolctl\njoblib = None"),),
    ),
    Rule(
        arrays_are_read_as_numbers,
        broken=(
            ("transrec_core/persistence/saved.py", "np.load(path)"),
            ("transrec_core/persistence/saved.py", "np.load(path, allow_pickle=True)"),
            ("transrec_core/persistence/saved.py", "np.load(path, allow_pickle=flag)"),
            ("transrec_core/persistence/saved.py", "np.lib.format.read_array(stream)"),
            ("transrec_core/reporting/archive.py", "np.savez(stream, allow_pickle=True)"),
        ),
        kept=(
            ("transrec_core/persistence/saved.py", "np.load(path, allow_pickle=False)"),
            ("transrec_core/persistence/saved.py", "json.load(stream)\nnp.savez(stream, a=a)"),
        ),
    ),
    Rule(
        no_unescaped_table,
        broken=(
            ("transrec_core/reporting/report.py", "frame.to_html(escape=False)"),
            ("transrec_core/reporting/report.py", "table.style.to_html(escape=flag)"),
        ),
        kept=(("transrec_core/reporting/report.py", "f.to_html()\nf.to_html(escape=True)"),),
    ),
    Rule(
        archives_are_read_not_unpacked,
        broken=(
            ("transrec_core/data/opening.py", "archive.extractall(folder)"),
            ("transrec_core/data/opening.py", "zipfile.ZipFile(path).extract(name, folder)"),
            ("transrec_core/data/opening.py", "shutil.unpack_archive(path)"),
        ),
        kept=(
            ("transrec_core/data/opening.py", "archive.open(name).read(limit)"),
            ("transrec_core/data/opening.py", "column.str.extract('(x)')"),
        ),
    ),
    Rule(
        no_links_from_data,
        broken=(
            ("dashboard/views/user.py", "st.link_button(title, address)"),
            ("dashboard/views/user.py", "st.page_link(page, label='x')"),
            ("dashboard/views/user.py", "st.page_link('https://example.org', label='x')"),
            ("dashboard/views/user.py", "st.markdown(f'[{title}]({address})')"),
            ("dashboard/views/user.py", "st.markdown(f'see [it](https://example.org/{name})')"),
            ("dashboard/views/user.py", "st.markdown('[x]({})'.format(address))"),
            ("dashboard/views/user.py", "st.markdown('[x](%s)' % address)"),
            ("transrec_core/reporting/report.py", "f'<a href=\"{address}\">x</a>'"),
            ("transrec_core/reporting/report.py", "f'<img src={address}>'"),
        ),
        kept=(
            ("dashboard/views/user.py", "st.page_link('views/user.py', label=f'{title}')"),
            ("dashboard/views/user.py", "st.markdown(f'[{count} rows](#rows) of {title}')"),
            ("dashboard/views/user.py", "st.markdown(f'{items[0]} ({count})')"),
        ),
    ),
    Rule(
        no_evaluated_text,
        broken=(
            ("transrec_core/space.py", "frame.query(text)"),
            ("transrec_core/space.py", "pd.eval(text)"),
            ("dashboard/compute/people.py", "eval(text)"),
            ("dashboard/compute/people.py", "exec(text)"),
        ),
        kept=(("dashboard/compute/people.py", "query = st.query_params\nevaluate(query)"),),
    ),
    Rule(
        systems_differ_in_one_module,
        broken=(
            ("transrec_core/limits.py", "import os\nos.sysconf('SC_AVPHYS_PAGES')"),
            ("transrec_core/limits.py", "def f():\n    import resource"),
            ("transrec_core/limits.py", "from psutil import virtual_memory"),
            ("transrec_core/limits.py", "Path('/proc/meminfo')"),
            ("transrec_core/threads.py", "os.cpu_count()"),
            ("transrec_core/reporting/saving.py", "os.umask(0)"),
            ("transrec_core/reporting/saving.py", "if os.name == 'nt': pass"),
            ("dashboard/jobs.py", "import signal"),
            ("dashboard/jobs.py", "os.kill(pid, 9)"),
            ("dashboard/jobs.py", "flag = sys.platform == 'win32'"),
        ),
        kept=(
            (SYSTEM, "import ctypes, psutil, signal\nos.umask(0)\nopen('/proc/stat')"),
            ("dashboard/jobs.py", "process.kill()\nos.replace(a, b)\n'see /procedures'"),
            ("dashboard/jobs.py", "from transrec_core.system import processor_count"),
        ),
    ),
    Rule(
        text_has_an_encoding,
        broken=(
            ("transrec_core/cli.py", "Path(file).read_text()"),
            ("transrec_core/cli.py", "path.write_text(text)"),
            ("transrec_core/cli.py", "open(file)"),
            ("transrec_core/cli.py", "open(file, 'w')"),
        ),
        kept=(
            ("transrec_core/cli.py", "path.read_text('utf-8')\nopen(file, 'rb')"),
            ("transrec_core/cli.py", "path.write_text(text, encoding='utf-8')"),
            ("transrec_core/cli.py", "path.open('rb')\nopen(file, encoding='utf-8')"),
        ),
    ),
    Rule(
        no_print,
        broken=(("transrec_core/cli.py", "x = 1\nprint(x)"),),
        kept=(("transrec_core/cli.py", "sys.stdout.write(text)\nprinted = blueprint(text)"),),
    ),
)
RULE_NAMES = [rule.check.__name__ for rule in RULES]


def violations(rule: Rule, code: Module) -> list[str]:
    return [f"{code.path}:{line}: {what}" for line, what in rule.check(code)]


@pytest.fixture(scope="module")
def modules() -> list[Module]:
    return [
        module(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
    ]


def test_every_part_of_the_project_is_read(modules: list[Module]) -> None:
    folders = {code.package for code in modules}
    stages = {f"transrec_core.{stage}" for stage in LATER_STAGES}
    assert folders >= {*PACKAGES, *stages, "dashboard.views", "dashboard.components"}


@pytest.mark.parametrize("rule", RULES, ids=RULE_NAMES)
def test_the_source_keeps_the_rule(rule: Rule, modules: list[Module]) -> None:
    found = [violation for code in modules for violation in violations(rule, code)]
    assert not found, "\n".join(["", *found])


def quiet_lines(path: str, source: str) -> list[str]:
    """Lines that keep ruff from telling of a call that runs what a text says."""
    told = re.compile(rf"#\s*(ruff:\s*)?noqa(?!:)|#\s*(ruff:\s*)?noqa:.*\b{LISTENED}\b")
    return [
        f"{path}:{number}: {line.strip()}"
        for number, line in enumerate(source.splitlines(), 1)
        if told.search(line) and (path, line.strip()) not in QUIET_ALLOWED
    ]


def test_ruff_looks_for_dangerous_calls_and_nobody_keeps_it_from_that() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    assert "S" in settings["select"]
    assert not [code for code in settings["ignore"] if re.fullmatch(LISTENED, code)]
    ignored = [where for where in settings["per-file-ignores"] if where.startswith(PACKAGES)]
    assert ignored == []
    files = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    found = [
        line
        for path in files
        for line in quiet_lines(path.relative_to(ROOT).as_posix(), path.read_text())
    ]
    assert found == []


def test_a_quiet_line_is_noticed() -> None:
    assert quiet_lines("a.py", "x = 1\neval(text)  # noqa: S307 - it is ours")
    assert quiet_lines("a.py", "pickle.load(file)  # noqa: E501, S301")
    assert quiet_lines("a.py", "subprocess.run(text, shell=True)  # noqa")
    assert quiet_lines("a.py", "# ruff: noqa: S602")
    assert quiet_lines("other.py", "self.result = pickle.load(file)  # noqa: S301")
    assert not quiet_lines("a.py", "pick = random.choice(pool)  # noqa: S311 - a pick")
    assert not quiet_lines("a.py", "class Cancelled(Exception):  # noqa: N818")


@pytest.mark.parametrize(
    ("rule", "path", "source"),
    [(rule, *example) for rule in RULES for example in rule.broken],
)
def test_a_broken_rule_is_named_by_file_and_line(rule: Rule, path: str, source: str) -> None:
    found = violations(rule, module(path, source))
    assert len(found) == 1
    line = 2 if "@st.cache_data" in source else source.count("\n") + 1
    assert found[0].startswith(f"{path}:{line}: ")


@pytest.mark.parametrize(
    ("rule", "path", "source"),
    [(rule, *example) for rule in RULES for example in rule.kept],
)
def test_a_kept_rule_is_not_reported(rule: Rule, path: str, source: str) -> None:
    assert violations(rule, module(path, source)) == []


def test_importing_the_core_loads_no_face() -> None:
    code = (
        "import sys, transrec_core, transrec_core.cli\n"
        "sys.exit(str({'streamlit', 'plotly', 'dashboard'} & set(sys.modules) or '') or None)"
    )
    done = subprocess.run(  # -I: the installed package, whatever the folder
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def stray_names(files: list[str]) -> tuple[set[str], set[str]]:
    """Names at the top of a repository that are not allowed, and those that are missing."""
    top = {file.split("/")[0] for file in files}
    return top - TOP_LEVEL_ALLOWED, TOP_LEVEL_REQUIRED - top


def test_the_top_of_the_repository_is_tidy() -> None:
    try:
        listed = subprocess.run(
            ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z"],
            cwd=ROOT, capture_output=True, text=True, check=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git repository, or no git here: nothing says which files are tracked")
    files = listed.stdout.split("\0")[:-1]
    if not files:
        pytest.skip("git tracks no file here yet")
    assert stray_names(files) == (set(), set())


def test_a_stray_name_is_noticed() -> None:
    complete = [f"{name}/x" for name in TOP_LEVEL_REQUIRED]
    assert stray_names(complete) == (set(), set())
    assert stray_names([*complete, "docs/x", "notes.txt"]) == ({"docs", "notes.txt"}, set())
    assert stray_names([name for name in complete if name != "tests/x"]) == (set(), {"tests"})
