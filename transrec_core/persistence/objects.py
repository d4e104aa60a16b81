"""A run as JSON values and arrays, and back: what ``pickle`` does, for a closed list of classes.

A value is a JSON scalar or list, or an object of one key: ``ref`` (a position in the list of
objects), ``tuple``, ``rows`` (a long tuple of tuples of text, as a table), ``map`` (pairs of key
and value), or ``float`` (what JSON has no number for).

The list holds dataclasses, arrays and tables, each after all that it refers to, and each once,
however often it is referred to.
"""

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp
from numpy.typing import NDArray

from transrec_core.data.interactions import Interactions
from transrec_core.data.linking import DomainPair
from transrec_core.data.report import Problem
from transrec_core.errors import TransrecError
from transrec_core.evidence.results import (
    Chosen,
    Comparison,
    Crosslisted,
    Evidence,
    Gain,
    Interval,
    ShotEvidence,
)
from transrec_core.factors.biases import Biases
from transrec_core.factors.model import Factors
from transrec_core.factors.objectives import Explicit, Implicit, Objective
from transrec_core.persistence.consistency import UnknownContentError, require_consistent
from transrec_core.running import Run
from transrec_core.settings import Settings
from transrec_core.transfer.deep.histories import Attention, Dense, HistoryMap
from transrec_core.transfer.deep.neural_map import NeuralMap
from transrec_core.transfer.deep.scales import Scales
from transrec_core.transfer.factorizations import WarmStart
from transrec_core.transfer.fitting import FitSpec, TransferFit
from transrec_core.transfer.knowledge import (
    Average,
    Ground,
    Joint,
    Knowledge,
    MappedByHistory,
    MappedByNetwork,
    MappedFactors,
    MappedRows,
    Texts,
)
from transrec_core.transfer.linear_map import LinearMap, Reading, SourceRows
from transrec_core.transfer.ridge import ItemRidge

CLASSES: Mapping[str, type] = {
    found.__name__: found
    for found in (
        Attention, Average, Biases, Chosen, Comparison, Crosslisted, Dense, DomainPair, Evidence,
        Explicit, Factors, FitSpec, Gain, Ground, HistoryMap, Implicit, Interactions, Interval,
        ItemRidge, Joint, LinearMap, MappedByHistory, MappedByNetwork, MappedFactors, MappedRows,
        NeuralMap, Problem, Reading, Run, Scales, Settings, ShotEvidence, SourceRows, Texts,
        TransferFit, WarmStart,
    )
}  # fmt: skip
"""All that a run is made of; a file cannot name any other class."""

Made = TypeVar("Made")

LONG = 1000
"""Members from which a tuple of tuples is kept as arrays: the text is to stay small."""

_NUMBERS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


# ── to values ────────────────────────────────────────────────────────────────────────────────────


class Packed:
    """Values and arrays of one object.

    Attributes
    ----------
    root
        The value of the object itself.
    objects
        All that it refers to, in the order in which they can be made again.
    arrays
        Arrays, which ``objects`` name by position.
    """

    def __init__(self, obj: object) -> None:
        self.objects: list[dict[str, Any]] = []
        self.arrays: list[NDArray[Any]] = []
        # Each object beside its place: an id is another's as soon as its object is gone.
        self._places: dict[int, tuple[object, int]] = {}
        self.root = self._value(obj)

    def _value(self, obj: object) -> Any:
        if isinstance(obj, np.generic):
            obj = obj.item()
        if obj is None or isinstance(obj, bool | int | str):
            return obj
        if isinstance(obj, float):
            return obj if math.isfinite(obj) else {"float": str(obj)}
        if isinstance(obj, tuple):
            if len(obj) > LONG and all(isinstance(part, tuple) for part in obj):
                return {"rows": self._value(pd.DataFrame(obj))}
            return {"tuple": [self._value(part) for part in obj]}
        if isinstance(obj, list):
            return [self._value(part) for part in obj]
        if isinstance(obj, Mapping):
            return {"map": [[self._value(k), self._value(v)] for k, v in obj.items()]}
        return self._reference(obj)

    def _reference(self, obj: object) -> dict[str, int]:
        if id(obj) not in self._places:
            entry = self._entry(obj)
            self._places[id(obj)] = (obj, len(self.objects))
            self.objects.append(entry)
        return {"ref": self._places[id(obj)][1]}

    def _entry(self, obj: object) -> dict[str, Any]:
        if isinstance(obj, np.ndarray):
            self.arrays.append(obj)
            return {"type": "array", "array": len(self.arrays) - 1}
        if isinstance(obj, sp.csr_array):
            parts = {name: self._value(getattr(obj, name)) for name in _CSR}
            return {"type": "csr", "shape": [int(n) for n in obj.shape], **parts}
        if isinstance(obj, pd.Index):
            name = None if obj.name is None else str(obj.name)
            return {"type": "index", "name": name, "cells": self._cells(obj.to_series())}
        if isinstance(obj, pd.DataFrame):
            columns = [[str(name), self._cells(column)] for name, column in obj.items()]
            counted = isinstance(obj.index, pd.RangeIndex)
            index = len(obj) if counted else self._value(obj.index)
            return {"type": "table", "index": index, "columns": columns}
        name = type(obj).__name__
        assert CLASSES.get(name) is type(obj), f"{type(obj)} is not in the list of classes"
        values = {f.name: self._value(getattr(obj, f.name)) for f in fields(obj)}  # type: ignore[arg-type]
        return {"type": name, "fields": values}

    def _cells(self, column: pd.Series) -> dict[str, Any]:
        """A column: its numbers, or the bytes of its texts and where each ends."""
        if isinstance(column.dtype, np.dtype) and column.dtype.kind in "biuf":
            return {"numbers": self._value(column.to_numpy())}
        texts = pa.array(column, pa.large_string(), from_pandas=True)
        if isinstance(texts, pa.ChunkedArray):
            texts = texts.combine_chunks()
        filled = texts.fill_null("") if texts.null_count else texts
        _, ends, content = filled.buffers()
        # Buffers may hold more than these texts, and an empty column may have none.
        places = np.zeros(1, np.int64)
        if len(filled):
            places = np.frombuffer(ends, np.int64)[filled.offset :][: len(filled) + 1]
        found = np.frombuffer(content or b"", np.uint8)[places[0] : places[-1]]
        parts = {"bytes": found, "ends": places - places[0]}
        if texts.null_count:
            parts["missing"] = texts.is_null().to_numpy(zero_copy_only=False)
        return {name: self._value(part) for name, part in parts.items()}


_CSR = ("data", "indices", "indptr")


# ── from values ──────────────────────────────────────────────────────────────────────────────────


def unpacked(root: Any, objects: Any, arrays: "Sequence[NDArray[Any]]") -> object:
    """The object that ``Packed`` took apart.

    Raises
    ------
    UnknownContentError
        When the values describe no such object: an unknown class, a field that is missing, of
        another type or of another size than its neighbours.
    """
    made: list[object] = []
    if not isinstance(objects, list):
        raise UnknownContentError("it has no list of objects")
    try:
        for entry in objects:
            made.append(_made(entry, made, arrays))
        return _object(root, made)
    except RecursionError:
        raise UnknownContentError("its values are nested too deeply") from None


def _object(value: Any, made: Sequence[object]) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list):
        return [_object(part, made) for part in value]
    if isinstance(value, dict) and len(value) == 1:
        ((kind, content),) = value.items()
        if kind == "ref" and type(content) is int and 0 <= content < len(made):
            return made[content]
        if kind == "tuple" and isinstance(content, list):
            return tuple(_object(part, made) for part in content)
        if kind == "rows" and isinstance(rows := _object(content, made), pd.DataFrame):
            return tuple(rows.itertuples(index=False, name=None))
        if kind == "float" and isinstance(content, str) and content in _NUMBERS:
            return _NUMBERS[content]
        if kind == "map" and isinstance(content, list):
            try:
                pairs = [(_object(k, made), _object(v, made)) for k, v in content]
                return dict(pairs)
            except (TypeError, ValueError):
                pass
    raise UnknownContentError(f"it has a value that is none: {str(value)[:60]}")


def _made(entry: Any, made: Sequence[object], arrays: "Sequence[NDArray[Any]]") -> object:
    kind = entry.get("type") if isinstance(entry, dict) else None
    if kind == "array":
        place = entry.get("array")
        if type(place) is not int or not 0 <= place < len(arrays):
            raise UnknownContentError("it refers to an array that it does not have")
        return arrays[place]
    if kind == "csr":
        return _matrix(entry, made)
    if kind == "index":
        return pd.Index(_column(entry.get("cells"), made), name=entry.get("name"))
    if kind == "table":
        return _table(entry, made)
    found = CLASSES.get(kind) if isinstance(kind, str) else None
    if found is None:
        raise UnknownContentError(f"it has something of the unknown kind {str(kind)[:60]!r}")
    values = entry.get("fields")
    if not isinstance(values, dict) or set(values) != {f.name for f in fields(found)}:
        raise UnknownContentError(f"its {kind} has other fields than this version's")
    return instance(found, {name: _object(value, made) for name, value in values.items()})


def _matrix(entry: Mapping[str, Any], made: Sequence[object]) -> sp.csr_array:
    parts = [_array(_object(entry.get(name), made)) for name in _CSR]
    shape = entry.get("shape")
    try:
        assert isinstance(shape, list)
        assert len(shape) == 2
        assert all(type(n) is int for n in shape)
        # As they are: SciPy would make copies with other index types, or share none.
        matrix = sp.csr_array(tuple(parts), tuple(shape), copy=False)
        matrix.check_format(full_check=True)
    except (AssertionError, ValueError, TypeError, IndexError, OverflowError) as error:
        raise UnknownContentError(f"it has a matrix that is none ({error})") from None
    return matrix


def _array(value: object) -> "NDArray[Any]":
    if not isinstance(value, np.ndarray):
        raise UnknownContentError("it has something else where an array should be")
    return value


def _column(cells: Any, made: Sequence[object]) -> Any:
    """A column's numbers as an array, or its texts as pandas holds them."""
    if not isinstance(cells, dict):
        raise UnknownContentError("it has a column without cells")
    if set(cells) == {"numbers"}:
        return _array(_object(cells["numbers"], made))
    if not {"bytes", "ends"} <= set(cells) <= {"bytes", "ends", "missing"}:
        raise UnknownContentError("it has a column without cells")
    parts = {name: _array(_object(value, made)) for name, value in cells.items()}
    ends = parts["ends"]
    if (
        parts["bytes"].dtype != np.uint8
        or ends.dtype != np.int64
        or ends.ndim != 1
        or not len(ends)
    ):
        raise UnknownContentError("it has a column of texts that are none")
    buffers = (pa.py_buffer(ends), pa.py_buffer(parts["bytes"]))
    try:
        texts = pa.LargeStringArray.from_buffers(len(ends) - 1, *buffers)
        texts.validate(full=True)
        if "missing" in parts:
            missing = pa.array(parts["missing"])
            texts = pc.if_else(missing, pa.scalar(None, pa.large_string()), texts)
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise UnknownContentError(f"it has a column of texts that are none ({error})") from None
    return texts.to_pandas().array


def _table(entry: Mapping[str, Any], made: Sequence[object]) -> pd.DataFrame:
    columns, index = entry.get("columns"), entry.get("index")
    rows = pd.RangeIndex(index) if type(index) is int and index >= 0 else _object(index, made)
    if not isinstance(columns, list) or not isinstance(rows, pd.Index):
        raise UnknownContentError("it has a table that is none")
    found: dict[str, Any] = {}
    for column in columns:
        if not (isinstance(column, list) and len(column) == 2 and isinstance(column[0], str)):
            raise UnknownContentError("it has a table that is none")
        values = _column(column[1], made)
        if len(values) != len(rows) or np.ndim(values) != 1:
            raise UnknownContentError("it has a table whose columns differ in length")
        found[column[0]] = values
    return pd.DataFrame(found, index=rows)


def instance(found: type[Made], values: Mapping[str, Any]) -> Made:
    """An object of a class whose fields have the types that its annotations say.

    Raises
    ------
    UnknownContentError
        Naming the first field that has another, or what is wrong with them together.
    """
    for name, hint in hints_of(found).items():
        if not _fits(values[name], hint):
            what = type(values[name]).__name__
            raise UnknownContentError(f"{found.__name__}.{name} is a {what} in it")
        _require_finite(found, name, values[name])
    later = {f.name for f in fields(found) if not f.init}  # type: ignore[arg-type]
    try:
        made = found(**{name: value for name, value in values.items() if name not in later})
    except (TransrecError, ValueError, TypeError, IndexError) as error:
        raise UnknownContentError(f"it has a {found.__name__} that is none ({error})") from None
    for name in later:
        # What was worked out when it was made, to the bit.
        object.__setattr__(made, name, values[name])
    require_consistent(made)
    return made


def hints_of(found: type) -> dict[str, Any]:
    """The types of a class's fields."""
    if found not in _HINTS:
        names = {**vars(sys.modules[found.__module__]), **_NAMES, **CLASSES}
        known = get_type_hints(found, globalns=names)
        _HINTS[found] = {f.name: known[f.name] for f in fields(found)}
    return _HINTS[found]


_HINTS: dict[type, dict[str, Any]] = {}
# Imported for annotations alone where the classes are.
_NAMES = {"NDArray": NDArray, "pd": pd, "sp": sp, "np": np, "Mapping": Mapping, "Any": Any}


def _fits(value: object, hint: Any) -> bool:
    """Whether a value is of the type that an annotation says, contents included."""
    origin, inner = get_origin(hint), get_args(hint)
    if hint in (Any, object):
        return True
    if hint is None or hint is type(None):
        return value is None
    if hint in (int, float):
        return isinstance(value, (int, float) if hint is float else int) and value is not True
    if origin in (Union, UnionType):
        return any(_fits(value, one) for one in inner)
    if origin is Literal:
        return value in inner
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        if inner[-1] is Ellipsis:
            return all(_fits(part, inner[0]) for part in value)
        return len(value) == len(inner) and all(map(_fits, value, inner))
    if origin is np.ndarray:
        # Their widths hang on sizes and machines; whole numbers are never taken for others.
        kinds = {np.integer: "iu", np.floating: "f", np.number: "iuf"}
        wanted = get_args(inner[1])[0]
        kind = kinds[wanted] if wanted in kinds else np.dtype(wanted).kind
        return isinstance(value, np.ndarray) and value.dtype.kind in kind
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return isinstance(value, dict) and all(
            _fits(k, inner[0]) and _fits(v, inner[1]) for k, v in value.items()
        )
    if hint in _FULFILLED_BY:
        return isinstance(value, _FULFILLED_BY[hint])
    return isinstance(hint, type) and isinstance(value, hint)


_FULFILLED_BY: Mapping[Any, tuple[type, ...]] = {
    Knowledge: (
        *(Average, ItemRidge, Joint, MappedFactors, MappedRows),
        *(MappedByHistory, MappedByNetwork),
    ),
    Objective: (Explicit, Implicit),
}


def _require_finite(found: type, name: str, value: object) -> None:
    numbers = value.data if isinstance(value, sp.csr_array) else value
    if not isinstance(numbers, np.ndarray) or numbers.dtype.kind != "f":
        return
    # A time that cannot be read is NaN.
    if (found, name) != (Interactions, "times") and not np.isfinite(numbers).all():
        raise UnknownContentError(f"{found.__name__}.{name} has numbers that are not finite in it")
