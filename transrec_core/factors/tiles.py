"""Register tiles: the 8 × 8 pieces of which a row's system is made and solved.

A Gram matrix and its Cholesky factor are the same sum, C ± Σ_p P[p, i]·P[p, j], over different P,
so one tile written in LLVM's vector types serves both: eight vectors of eight lanes stay in
registers while p runs. Compiled loops over arrays cannot be brought to do that, and at the size of
one row's system a BLAS call spends more time on packing than on products.

Matrices are C-contiguous with a multiple of ``TILE`` columns; of symmetric ones only the tiles on
and above the diagonal are computed. The order of every sum is fixed.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from transrec_core.compiling import compiled

TILE = 8

_FUSED = ("contract",)
_intrinsic: Any = intrinsic
_LANE = ir.IntType(32)
_LANES = range(TILE)


@compiled()
def padded(k: int) -> int:
    """Columns of the whole tiles that hold k columns."""
    return (k + TILE - 1) // TILE * TILE


@compiled()
def add_gram(P: Any, n: int, A: Any) -> None:
    """A += P[:n]ᵀ P[:n], in place."""
    k = P.shape[1]
    for i in range(0, k, TILE):
        j = i
        if (k - i) % (2 * TILE):
            _add_tile(P, n, i, j, A)
            j += TILE
        while j < k:
            _add_pair(P, n, i, j, A)
            j += 2 * TILE


@compiled()
def solve(A: Any, inverse: Any, b: Any) -> bool:
    """Solve A x = b in place of b by A = RᵀR; False where A is not safely positive.

    R takes the place of A, and one over its diagonal that of ``inverse``.
    """
    k = A.shape[0]
    eps = A.dtype.type(1e-7 if A.itemsize == 4 else 1e-15)
    for r in range(0, k, TILE):
        if not _factor_tile(A, r, inverse, eps):
            return False
        for j in range(r + TILE, k, TILE):
            _solve_tile(A, r, j, inverse)
        _forward_tile(A, r, inverse, b)
    for r in range(k - TILE, -1, -TILE):
        _backward_tile(A, r, inverse, b)
    return True


@compiled()
def transpose(P: Any, n: int, scale: Any, out: Any) -> None:
    """Write diag(scale) P[:n]ᵀ to ``out``, n a multiple of ``TILE``."""
    for p in range(0, n, TILE):
        for f in range(0, P.shape[1], TILE):
            _transpose_tile(P, p, f, scale, out)


@compiled(fastmath=True)
def predict(start: Any, stop: Any, indices: Any, cols: Any, x: Any, out: Any) -> None:
    """Write v·x of one row's cells."""
    whole = stop - (stop - start) % TILE
    for at in range(start, whole, TILE):
        _dots(cols, indices, at, x, out, at - start)
    for at in range(whole, stop):
        dot = x[0] * 0
        for f in range(len(x)):
            dot += x[f] * cols[indices[at], f]
        out[at - start] = dot


@compiled(fastmath=True)
def add_products(start: Any, stop: Any, indices: Any, cols: Any, t: Any, out: Any) -> None:
    """Add Σ t·v of one row's cells."""
    whole = stop - (stop - start) % TILE
    for at in range(start, whole, TILE):
        _add_rows(cols, indices, at, t[at - start :], out)
    for at in range(whole, stop):
        for f in range(len(out)):
            out[f] += t[at - start] * cols[indices[at], f]


class _Writer:
    """Writes vector instructions on the cells of C-contiguous matrices."""

    def __init__(self, context: Any, builder: Any, dtype: Any) -> None:
        self.context = context
        self.builder = builder
        self.scalar = context.get_value_type(dtype)
        self.vector = ir.VectorType(self.scalar, TILE)
        self.zero = ir.Constant(self.vector, None)
        self.align = dtype.bitwidth // 8

    def cells(self, array: Any, kind: Any) -> "tuple[Any, Any]":
        """Address of the first cell of an array, and how many cells lie in a row."""
        view = self.context.make_array(kind)(self.context, self.builder, array)
        return view.data, self.builder.extract_value(view.shape, kind.ndim - 1)

    def at(self, cells: "tuple[Any, Any]", row: Any, column: Any, below: int = 0) -> Any:
        """Address of one cell, ``below`` rows further down."""
        row = self.builder.add(row, row.type(below))
        return self.right(cells[0], self.builder.add(self.builder.mul(row, cells[1]), column))

    def right(self, address: Any, cells: Any) -> Any:
        """Address some cells to the right."""
        return self.builder.gep(address, [_LANE(cells) if isinstance(cells, int) else cells])

    def load(self, address: Any) -> Any:
        """Eight neighbouring cells."""
        wide = self.builder.bitcast(address, self.vector.as_pointer())
        return self.builder.load(wide, align=self.align)

    def store(self, value: Any, address: Any) -> None:
        wide = self.builder.bitcast(address, self.vector.as_pointer())
        self.builder.store(value, wide, align=self.align)

    def lane(self, vector: Any, number: int) -> Any:
        return self.builder.extract_element(vector, _LANE(number))

    def vector_of(self, numbers: "list[Any]") -> Any:
        vector = ir.Constant(self.vector, ir.Undefined)
        for lane, number in enumerate(numbers):
            vector = self.builder.insert_element(vector, number, _LANE(lane))
        return vector

    def spread(self, number: Any) -> Any:
        """The same number in every lane."""
        return self.shuffle(self.vector_of([number]), self.zero, [0] * TILE)

    def shuffle(self, a: Any, b: Any, lanes: "list[int]") -> Any:
        """Lanes of a (0 to 7) and b (8 to 15)."""
        mask = ir.Constant(ir.VectorType(_LANE, TILE), lanes)
        return self.builder.shuffle_vector(a, b, mask)

    def transposed(self, rows: "list[Any]") -> "list[Any]":
        """The 8 × 8 tile with rows and columns exchanged, by exchanging blocks of 4, 2 and 1."""
        for block in (4, 2, 1):
            low = [lane for lane in _LANES if not lane & block]
            keep = [lane if not lane & block else lane - block + TILE for lane in _LANES]
            swap = [lane + block if not lane & block else lane + TILE for lane in _LANES]
            rows = list(rows)
            for q in low:
                a, b = rows[q], rows[q + block]
                rows[q], rows[q + block] = self.shuffle(a, b, keep), self.shuffle(a, b, swap)
        return rows

    def plus(self, total: Any, a: Any, b: Any) -> Any:
        """Total + a·b."""
        return self.builder.fadd(total, self.builder.fmul(a, b, flags=_FUSED), flags=_FUSED)

    def minus(self, total: Any, a: Any, b: Any) -> Any:
        """Total − a·b."""
        return self.builder.fsub(total, self.builder.fmul(a, b, flags=_FUSED), flags=_FUSED)

    def chosen(self, cells: "tuple[Any, Any]", numbers: Any) -> "list[Any]":
        """Addresses of the eight rows whose numbers lie there."""
        kind = cells[1].type
        rows = [self.builder.load(self.right(numbers, q)) for q in _LANES]
        return [self.at(cells, self.builder.sext(row, kind), kind(0)) for row in rows]

    def sums(self, count: int) -> "list[Any]":
        """Vectors that start at zero and are kept in registers while a loop adds to them."""
        places = [cgutils.alloca_once(self.builder, self.vector) for _ in range(count)]
        for place in places:
            self.builder.store(self.zero, place)
        return places

    def add_to(self, place: Any, a: Any, b: Any) -> None:
        self.builder.store(self.plus(self.builder.load(place), a, b), place)

    def products(
        self, cells: "tuple[Any, Any]", n: Any, i: Any, j: Any, width: int = 1
    ) -> "list[Any]":
        """Σ_{p<n} P[p, i + q]·P[p, j + lane] for q < 8, tile after tile ``width`` times."""
        places = self.sums(TILE * width)
        with cgutils.for_range(self.builder, n) as loop:
            left, right = self.at(cells, loop.index, i), self.at(cells, loop.index, j)
            wide = [self.load(self.right(right, TILE * tile)) for tile in range(width)]
            for q in _LANES:
                number = self.spread(self.builder.load(self.right(left, q)))
                for tile in range(width):
                    self.add_to(places[tile * TILE + q], number, wide[tile])
        return [self.builder.load(place) for place in places]


def _adder(width: int) -> Any:
    """A[i : i + 8, j : j + 8·width] += P[:n, i : i + 8]ᵀ P[:n, j : j + 8·width]."""

    @_intrinsic
    def add(typing: Any, P: Any, n: Any, i: Any, j: Any, A: Any) -> Any:
        def write(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            writer = _Writer(context, builder, P.dtype)
            n, i, j = given[1:4]
            products = writer.products(writer.cells(given[0], P), n, i, j, width)
            out = writer.cells(given[4], A)
            for place, product in enumerate(products):
                tile, q = divmod(place, TILE)
                address = writer.right(writer.at(out, i, j, q), TILE * tile)
                writer.store(builder.fadd(writer.load(address), product), address)
            return context.get_dummy_value()

        return types.void(P, types.intp, types.intp, types.intp, A), write

    return add


_add_tile = _adder(1)
_add_pair = _adder(2)


@_intrinsic
def _factor_tile(typing: Any, A: Any, r: Any, inverse: Any, eps: Any) -> Any:
    """Tile (r, r) of R, from the tiles above it; False where a pivot is not safely positive."""

    def write(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        writer = _Writer(context, builder, A.dtype)
        cells, r, eps = writer.cells(given[0], A), given[1], given[3]
        inverses = writer.right(writer.cells(given[2], inverse)[0], r)
        root = builder.module.declare_intrinsic("llvm.sqrt", [writer.scalar])
        products = writer.products(cells, r, r, r)
        before = [writer.load(writer.at(cells, r, r, q)) for q in _LANES]
        tile = [builder.fsub(b, p) for b, p in zip(before, products, strict=True)]
        safe = ir.IntType(1)(1)
        for q in _LANES:
            pivot = writer.lane(tile[q], q)
            floor = builder.fmul(writer.lane(before[q], q), eps)
            safe = builder.and_(safe, builder.fcmp_ordered(">", pivot, floor))
            one = builder.fdiv(writer.scalar(1.0), builder.call(root, [pivot]))
            builder.store(one, writer.right(inverses, q))
            tile[q] = builder.fmul(tile[q], writer.spread(one))
            writer.store(tile[q], writer.at(cells, r, r, q))
            for below in range(q + 1, TILE):
                share = writer.spread(writer.lane(tile[q], below))
                tile[below] = writer.minus(tile[below], share, tile[q])
        return safe

    return types.boolean(A, types.intp, inverse, eps), write


@_intrinsic
def _solve_tile(typing: Any, A: Any, r: Any, j: Any, inverse: Any) -> Any:
    """Tile (r, j) of R, from tile (r, r) and the tiles above both."""

    def write(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        writer = _Writer(context, builder, A.dtype)
        cells, r, j = writer.cells(given[0], A), given[1], given[2]
        inverses = writer.right(writer.cells(given[3], inverse)[0], r)
        products = writer.products(cells, r, r, j)
        tile = [builder.fsub(writer.load(writer.at(cells, r, j, q)), products[q]) for q in _LANES]
        for q in _LANES:
            one = builder.load(writer.right(inverses, q))
            tile[q] = builder.fmul(tile[q], writer.spread(one))
            writer.store(tile[q], writer.at(cells, r, j, q))
            for below in range(q + 1, TILE):
                cell = builder.load(writer.right(writer.at(cells, r, r, q), below))
                tile[below] = writer.minus(tile[below], writer.spread(cell), tile[q])
        return context.get_dummy_value()

    return types.void(A, types.intp, types.intp, inverse), write


@_intrinsic
def _forward_tile(typing: Any, R: Any, r: Any, inverse: Any, b: Any) -> Any:
    """Eight more unknowns of Rᵀy = b, in place of b, from all before them."""

    def write(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        writer = _Writer(context, builder, R.dtype)
        cells, r = writer.cells(given[0], R), given[1]
        inverses = writer.right(writer.cells(given[2], inverse)[0], r)
        known = writer.cells(given[3], b)[0]
        # Four sums, so that one addition need not wait for the last.
        places = writer.sums(4)
        with cgutils.for_range_slice(builder, r.type(0), r, r.type(4)) as (p, _):
            for step, place in enumerate(places):
                value = builder.load(writer.right(writer.right(known, p), step))
                writer.add_to(
                    place, writer.spread(value), writer.load(writer.at(cells, p, r, step))
                )
        here = writer.right(known, r)
        left = writer.load(here)
        for place in places:
            left = builder.fsub(left, builder.load(place))
        values = []
        for q in _LANES:
            one = builder.load(writer.right(inverses, q))
            values.append(builder.fmul(writer.lane(left, q), one))
            left = writer.minus(
                left, writer.spread(values[q]), writer.load(writer.at(cells, r, r, q))
            )
        writer.store(writer.vector_of(values), here)
        return context.get_dummy_value()

    return types.void(R, types.intp, inverse, b), write


@_intrinsic
def _backward_tile(typing: Any, R: Any, r: Any, inverse: Any, b: Any) -> Any:
    """Eight more unknowns of R x = y, in place of y, from all after them."""

    def write(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        writer = _Writer(context, builder, R.dtype)
        cells, r = writer.cells(given[0], R), given[1]
        inverses = writer.right(writer.cells(given[2], inverse)[0], r)
        known = writer.cells(given[3], b)[0]
        places = writer.sums(TILE)
        after = builder.add(r, r.type(TILE))
        with cgutils.for_range_slice(builder, after, cells[1], r.type(TILE)) as (j, _):
            wide = writer.load(writer.right(known, j))
            for q, place in enumerate(places):
                writer.add_to(place, wide, writer.load(writer.at(cells, r, j, q)))
        here = writer.right(known, r)
        left = writer.load(here)
        for column in writer.transposed([builder.load(place) for place in places]):
            left = builder.fsub(left, column)
        # The transposed corner: lane q of column m is R[r + q, r + m].
        corner = writer.transposed([writer.load(writer.at(cells, r, r, q)) for q in _LANES])
        values = [left] * TILE
        for q in reversed(_LANES):
            one = builder.load(writer.right(inverses, q))
            values[q] = builder.fmul(writer.lane(left, q), one)
            left = writer.minus(left, writer.spread(values[q]), corner[q])
        writer.store(writer.vector_of(values), here)
        return context.get_dummy_value()

    return types.void(R, types.intp, inverse, b), write


@_intrinsic
def _transpose_tile(typing: Any, P: Any, p: Any, f: Any, scale: Any, out: Any) -> Any:
    """Write scale[f + q]·P[p + lane, f + q] to out[f + q, p + lane]."""

    def write(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        writer = _Writer(context, builder, P.dtype)
        cells, p, f = writer.cells(given[0], P), given[1], given[2]
        scales, to = writer.cells(given[3], scale)[0], writer.cells(given[4], out)
        rows = writer.transposed([writer.load(writer.at(cells, p, f, q)) for q in _LANES])
        for q, row in enumerate(rows):
            number = builder.load(writer.right(writer.right(scales, f), q))
            writer.store(builder.fmul(row, writer.spread(number)), writer.at(to, f, p, q))
        return context.get_dummy_value()

    return types.void(P, types.intp, types.intp, scale, out), write


@_intrinsic
def _dots(typing: Any, cols: Any, indices: Any, at: Any, x: Any, out: Any, to: Any) -> Any:
    """Write cols[indices[at + q]]·x to out[to + q] for q < 8."""

    def write(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        writer = _Writer(context, builder, cols.dtype)
        cells, n = writer.cells(given[0], cols), given[2]
        known = writer.cells(given[3], x)[0]
        starts = writer.chosen(cells, writer.right(writer.cells(given[1], indices)[0], n))
        places = writer.sums(TILE)
        with cgutils.for_range_slice(builder, n.type(0), cells[1], n.type(TILE)) as (f, _):
            wide = writer.load(writer.right(known, f))
            for start, place in zip(starts, places, strict=True):
                writer.add_to(place, wide, writer.load(writer.right(start, f)))
        total = writer.zero
        for column in writer.transposed([builder.load(place) for place in places]):
            total = builder.fadd(total, column)
        writer.store(total, writer.right(writer.cells(given[4], out)[0], given[5]))
        return context.get_dummy_value()

    return types.void(cols, indices, types.intp, x, out, types.intp), write


@_intrinsic
def _add_rows(typing: Any, cols: Any, indices: Any, at: Any, t: Any, out: Any) -> Any:
    """Add Σ_{q<8} t[q]·cols[indices[at + q]] to ``out``."""

    def write(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        writer = _Writer(context, builder, cols.dtype)
        cells, n = writer.cells(given[0], cols), given[2]
        shares, total = (writer.cells(given[at], kind)[0] for at, kind in ((3, t), (4, out)))
        starts = writer.chosen(cells, writer.right(writer.cells(given[1], indices)[0], n))
        numbers = [writer.spread(builder.load(writer.right(shares, q))) for q in _LANES]
        with cgutils.for_range_slice(builder, n.type(0), cells[1], n.type(TILE)) as (f, _):
            here = writer.right(total, f)
            value = writer.load(here)
            for start, number in zip(starts, numbers, strict=True):
                value = writer.plus(value, number, writer.load(writer.right(start, f)))
            writer.store(value, here)
        return context.get_dummy_value()

    return types.void(cols, indices, types.intp, t, out), write
