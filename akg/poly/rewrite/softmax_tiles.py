"""Softmax products in tiles of rows: scores, softmax and the sum with the values of a tile run together.

A softmax product (`akg.poly.rewrite.softmax_match`) is c = softmax(t) @ v over scores t of rows and keys. It is
rewritten by

    softmax(t) @ v  =  (exp(t - m) @ v) / l,      m = max(t), l = sum(exp(t - m)),

so that the weights are never divided, only the result is, and into tiles of rows, in one of two forms:

    whole rows                                  online: tiles of keys
    keys = keys * scale                         keys = keys * scale
    for tiles of rows:                          for tiles of rows:
        q = rows of the tile                        q = rows of the tile; m, l, c = lowest, 0, 0
        s = q @ keys                                for tiles of keys:
        for rows:                                       s = q @ keys of the tile
            s = t(s); m = max(s)                        for rows: s = t(s); n = max(m, max(s)); a = exp(m - n); m = n
            s = exp(s - m); l = sum(s)                            s = exp(s - m); l = l * a + sum(s)
        c = s @ values                                  c = c * a + s @ values of the tile
        out = c / l                                 out = c / l

Keys are turned once into panels as wide as a register tile, so that both products run in register tiles whose
operands are contiguous. Where keys after the row are masked (-inf), tiles that lie behind are left out: what has the
weight zero is not read, even where its value is infinite or NaN. A row that is masked as a whole is 0 / 0, NaN, as by
definition: m starts at the lowest number, not at -inf, in the online form, so that a tile that is masked adds nothing.

The online form is that of Milakov and Gimelshein 2018 (sums) and Dao et al. 2022 (products). Nothing as large as rows
times keys is stored in either form; the online one needs memory for one tile of scores, the other for whole rows of
them, which is faster as long as they stay in the second-level cache.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from akg.base.dtype import DType
from akg.base.target import Target
from akg.ir.buffer import Buffer
from akg.ir.expr import Binary, Call, Cast, Const, Expr, Load, Var, binary, select
from akg.ir.rewrite import loads_of, rewrite, substitute
from akg.ir.simplify import simplify
from akg.ir.stmt import Alloc, For, Kernel, Stmt, Store, block
from akg.poly.rewrite.softmax_form import Form, form_of, limit, up
from akg.poly.rewrite.softmax_match import (
    SoftmaxProduct,
    causal_of,
    find_softmax_products,
    rebuilt,
    scale_of,
    without_scale,
)


def tile_softmax_products(
    kernel: Kernel, target: Target, fresh: Callable[[str], Var], note: Callable[[str], None]
) -> Kernel:
    """`kernel` with the softmax products that gain in tiles; the same object if there is none.

    Args:
        kernel: as it was written, the order of nests not yet chosen.
        target: the machine, for the sizes of its caches and registers.
        fresh: makes unused names.
        note: told which form was chosen, and why.
    """
    done: dict[SoftmaxProduct, Stmt] = {}
    for found in find_softmax_products(kernel):
        form = form_of(found, target)
        if form is not None:
            note(f"{found.score.buffer.name}, {found.product.store.name}: softmax and product in {form}")
            done[found] = _Emitter(found, form, fresh).body()
    return replace(kernel, body=rebuilt(kernel, done)) if done else kernel


class _Emitter:
    def __init__(self, found: SoftmaxProduct, form: Form, fresh: Callable[[str], Var]) -> None:
        self.found, self.form, self.fresh = found, form, fresh
        self.rows, self.keys = found.row.const_trips or 0, found.key.const_trips or 0
        self.is_ragged = self.rows % form.rows != 0
        self.ends_in_tile = not self.is_ragged and not form.keys
        self.row_tile = fresh(found.row.var.name + "_t")
        self.key_tile = fresh(found.key.var.name + "_t")
        self.kind = found.score.buffer.dtype
        self.shifted = without_scale(found)
        self.causal = causal_of(found, self.shifted) if limit(found) is not None else None
        tiles = up(self.keys + (form.rows if self.causal else 0), form.keys or form.panel)
        self.panels = tiles // form.panel
        self.width = form.keys or self.panels * form.panel
        self.depth, self.columns = found.depth.const_trips or 0, found.column.const_trips or 0
        self.turned = self.buffer("keys", (self.panels, self.depth, form.panel), found.right.buffer.dtype)
        self.tile = self.buffer("rows", (form.rows, self.depth), found.left.buffer.dtype)
        self.scores = self.buffer("scores", (form.rows, self.width), self.kind)
        weight = found.weight.buffer.dtype
        is_rounded = weight.compute is not weight
        self.weights = self.buffer("weights", (form.rows, self.width), weight) if is_rounded else self.scores
        self.top = self.buffer("top", (form.rows,), self.kind)
        self.total = self.buffer("total", (form.rows,), self.kind)
        self.sums = self.buffer("sums", (form.rows, self.columns), found.product.store.buffer.dtype)

    # -- helpers ----------------------------------------------------------------------------------------

    def buffer(self, name: str, shape: tuple[int, ...], kind: DType) -> Buffer:
        return Buffer(self.fresh(f"{self.found.product.store.buffer.name}_{name}").name, _consts(shape), kind)

    def store(self, buffer: Buffer, indices: tuple[Expr, ...], value: Expr, name: str, tag: str | None = None) -> Stmt:
        return Store(buffer, indices, value, self.fresh(f"{buffer.name}_{name}").name, tag)

    def add(self, buffer: Buffer, indices: tuple[Expr, ...], term: Expr, name: str) -> Stmt:
        return self.store(buffer, indices, Binary("add", Load(buffer, indices), term), name, "sum")

    def loop(self, base: str, end: Expr | int, body: Callable[[Var], Stmt], begin: Expr | int = 0) -> Stmt:
        var = self.fresh(base)
        return For(var, _expr(begin), _expr(end), body(var))

    def row(self, local: Expr) -> Expr:
        """The row of the kernel that is row `local` of a tile."""
        return simplify(self.row_tile * self.form.rows + local)

    def key(self, local: Expr) -> Expr:
        """The key that is column `local` of the tile of scores."""
        return simplify(self.key_tile * self.form.keys + local) if self.form.keys else local

    def at(self, expr: Expr, values: Mapping[Var, Expr]) -> Expr:
        return simplify(substitute(expr, values))

    # -- bounds -----------------------------------------------------------------------------------------

    def row_end(self) -> Expr:
        """The rows of a tile."""
        if not self.is_ragged:
            return Const(self.form.rows)
        return simplify(binary("min", Const(self.form.rows), self.rows - self.row_tile * self.form.rows))

    def last_key(self) -> Expr:
        """One more than the last key that the rows of a tile need."""
        if self.causal is None:
            return Const(self.keys)
        end = self.row(Const(self.form.rows + self.causal[0]))
        most = up(self.rows, self.form.rows) + self.causal[0]
        return end if most <= self.keys else binary("min", end, Const(self.keys))

    def key_tiles(self) -> Expr:
        """The tiles of keys that the rows of a tile need."""
        if self.causal is None:
            return Const(up(self.keys, self.form.keys) // self.form.keys)
        return self.row_tile + -(-(self.form.rows + self.causal[0]) // self.form.keys)

    def key_end(self) -> Expr:
        """The columns of a tile of scores that are keys."""
        if not self.form.keys:
            return self.last_key()
        if self.causal is None and self.keys % self.form.keys == 0:
            return Const(self.form.keys)
        is_whole = self.causal is not None and self.causal[0] == 0 and self.keys % self.form.keys == 0
        if is_whole:
            return Const(self.form.keys)
        return simplify(binary("min", Const(self.form.keys), self.last_key() - self.key_tile * self.form.keys))

    # -- parts ------------------------------------------------------------------------------------------

    def body(self) -> Stmt:
        """All of it, under the loops that are shared by keys and rows."""
        found, form = self.found, self.form
        tiles = up(self.rows, form.rows) // form.rows
        inner: Stmt = For(self.row_tile, Const(0), Const(tiles), self.rows_of_tile())
        for loop in reversed(found.outer[found.shared :]):
            inner = replace(loop, body=inner)
        inner = Alloc(self.turned, block(self.turn(), inner))
        for loop in reversed(found.outer[: found.shared]):
            inner = replace(loop, body=inner)
        return inner

    def turn(self) -> Stmt:
        """Keys in panels, scaled: for each step of the scores, a vector of keys. Behind the last one they are 0."""
        panel = self.form.panel
        whole, rest = divmod(self.keys, panel)

        def element(p: Expr, d: Var, j: Var) -> Stmt:
            scale = scale_of(self.found)
            value: Expr = self.at(self.found.right, {self.found.key.var: p * panel + j, self.found.depth.var: d})
            return self.turned_store(p, d, j, value if scale is None else Binary(scale[0], value, scale[1]), "turn")

        def none(p: Expr, d: Var, j: Var) -> Stmt:
            return self.turned_store(p, d, j, Const(0, self.turned.dtype), "none")

        def panels(
            place: Callable[[Expr, Var, Var], Stmt], begin: int, end: int, first: int = 0, last: int = panel
        ) -> Stmt | None:
            if begin == end or first == last:
                return None

            def of(p: Expr) -> Stmt:
                return self.loop("d", self.depth, lambda d: self.loop("j", last, lambda j: place(p, d, j), first))

            return of(Const(begin)) if end == begin + 1 else self.loop("p", end, of, begin)

        after = whole + (rest > 0)
        return block(
            panels(element, 0, whole), panels(element, whole, after, 0, rest),
            panels(none, whole, after, rest), panels(none, after, self.panels),
        )  # fmt: skip

    def turned_store(self, p: Expr, d: Var, j: Var, value: Expr, name: str) -> Stmt:
        return self.store(self.turned, (p, d, j), value, name)

    def rows_of_tile(self) -> Stmt:
        """What runs for one tile of rows."""
        softmax = self.online() if self.form.keys else self.whole()
        body = block(softmax, None if self.ends_in_tile else self.results())
        buffers = [self.sums, self.total, self.top, self.weights, self.scores]
        if self.is_ragged:
            body = block(self.copied_rows(), body)
            buffers.append(self.tile)
        for buffer in dict.fromkeys(buffers):
            body = Alloc(buffer, body)
        return body

    def copied_rows(self) -> Stmt:
        """The rows of a tile, where the last tile is partial; rows behind the last one are 0."""
        found = self.found

        def element(i: Var, d: Var) -> Stmt:
            value: Expr = self.at(found.left, {found.row.var: self.row(i), found.depth.var: d})
            value = select(binary("lt", self.row(i), self.rows), value, Const(0, value.dtype))
            return self.store(self.tile, (i, d), value, "copy")

        return self.loop("i", self.form.rows, lambda i: self.loop("d", self.depth, lambda d: element(i, d)))

    def left(self, i: Var, d: Var) -> Expr:
        """An element of the rows of a tile."""
        if self.is_ragged:
            return Load(self.tile, (i, d))
        return self.at(self.found.left, {self.found.row.var: self.row(i), self.found.depth.var: d})

    def products(self) -> Stmt:
        """The scores of a tile of rows and the panels that it needs."""
        found, panel = self.found, self.form.panel
        if self.form.keys:
            first, panels = self.key_tile * (self.form.keys // panel), Const(self.form.keys // panel)
        elif self.causal is None:
            first, panels = Const(0), Const(self.panels)
        else:
            steps = -(-(self.form.rows + self.causal[0]) // panel)
            first, panels = Const(0), self.row_tile * (self.form.rows // panel) + steps

        def element(p: Var, i: Var, j: Var) -> Stmt:
            place = (i, p * panel + j)

            def term(d: Var) -> Stmt:
                key = Load(self.turned, (simplify(first + p), d, j))
                loads: dict[Expr, Expr] = {found.left: self.left(i, d), found.right: key}
                return self.add(self.scores, place, rewrite(found.score_term, loads.get), "product")

            zero = Const(0, self.kind)
            return block(self.store(self.scores, place, zero, "first"), self.loop("d", self.depth, term))

        return self.loop("p", panels, lambda p: self.loop("i", self.form.rows, lambda i: self.loop(
            "j", panel, lambda j: element(p, i, j))))  # fmt: skip

    def shift(self, i: Var) -> list[Stmt]:
        """Scale, mask and bias of one row of scores, as far as they are not in the product already."""
        found, parts = self.found, list[Stmt]()
        inner = self.causal[2] if self.causal is not None else self.shifted

        def value(expr: Expr, j: Var) -> Expr:
            here = self.at(expr, {found.row.var: self.row(i), found.key.var: self.key(j)})
            score = self.at(found.score, {found.row.var: self.row(i), found.key.var: self.key(j)})
            return rewrite(here, lambda node: Load(self.scores, (i, j)) if node is score else None)

        if inner is not found.score:
            parts.append(self.loop("j", self.key_end(), lambda j: self.store(
                self.scores, (i, j), value(inner, j), "shift")))  # fmt: skip
        if self.causal is not None:
            cond, lowest = self.causal[1], Const(float("-inf"), self.kind)
            begin = self.row(Const(self.causal[0]))
            if self.form.keys:
                begin = binary("max", Const(0), simplify(begin - self.key_tile * self.form.keys))
            parts.append(self.loop("j", self.key_end(), lambda j: self.store(
                self.scores, (i, j), select(value(cond, j), Load(self.scores, (i, j)), lowest), "mask"), begin,
            ))  # fmt: skip
        return parts

    def powers(self, i: Var, top: Load) -> Stmt:
        """The exponentials of one row and their sum."""

        def element(j: Var) -> Stmt:
            place = (i, j)
            power = Call("exp", (Binary("sub", Load(self.scores, place), top),), self.kind)
            parts = [
                self.store(self.scores, place, power, "exp"),
                self.add(self.total, (i,), Load(self.scores, place), "sum"),
            ]
            if self.weights is not self.scores:
                rounded = Cast(Load(self.scores, place), self.weights.dtype)
                parts.append(self.store(self.weights, place, rounded, "round"))
            return block(*parts)

        return self.loop("j", self.key_end(), element)

    def most(self, i: Var, top: Buffer) -> Stmt:
        """The greatest score of one row."""

        def element(j: Var) -> Stmt:
            value = Binary("max", Load(top, (i,)), Load(self.scores, (i, j)))
            return self.store(top, (i,), value, "max", "max")

        return self.loop("j", self.key_end(), element)

    def sumup(self, first: Callable[[Expr, Expr], Stmt]) -> Stmt:
        """The weighted values of a tile, added to what `first` stores; the results, where nothing comes after."""
        found = self.found

        def term(i: Var, c: Var, j: Var) -> Stmt:
            values = self.at(found.values, {found.key.var: self.key(j), found.column.var: c})
            loads: dict[Expr, Expr] = {found.weight: Load(self.weights, (i, j)), found.values: values}
            return self.add(self.sums, (i, c), self.typed(rewrite(found.value_term, loads.get)), "add")

        return self.loop("i", self.form.rows, lambda i: self.loop("c", self.columns, lambda c: block(
            first(i, c), self.loop("j", self.key_end(), lambda j: term(i, c, j)),
            self.result(i, c) if self.ends_in_tile else None)))  # fmt: skip

    def typed(self, term: Expr) -> Expr:
        return term if term.dtype is self.sums.dtype else Cast(term, self.sums.dtype)

    def softmax(self, row: Callable[[Var], Stmt]) -> Stmt:
        """The rows of a tile; the weights of places behind the last row are 0 where they are stored apart.

        Places behind the last row have scores, of a row of zeros, and are done with the others unless masks or biases
        are read, which have no such row.
        """
        is_whole = all(load is self.found.score for load in loads_of(self.shifted))
        rows = self.loop("i", Const(self.form.rows) if is_whole else self.row_end(), row)
        if self.weights is self.scores or not self.is_ragged or is_whole:
            return rows
        zero = Const(0, self.weights.dtype)
        return block(rows, self.loop("i", self.form.rows, lambda i: self.loop("j", self.key_end(), lambda j: self.store(
            self.weights, (i, j), zero, "none")), self.row_end()))  # fmt: skip

    def whole(self) -> Stmt:
        """Exact softmax of whole rows."""

        def row(i: Var) -> Stmt:
            return block(
                *self.shift(i),
                self.store(self.top, (i,), Const(float("-inf"), self.kind), "first"),
                self.most(i, self.top),
                self.store(self.total, (i,), Const(0, self.kind), "first"),
                self.powers(i, Load(self.top, (i,))),
            )

        zero = Const(0, self.sums.dtype)
        return block(
            self.products(), self.softmax(row),
            self.sumup(lambda i, c: self.store(self.sums, (i, c), zero, "first")),
        )  # fmt: skip

    def online(self) -> Stmt:
        """Tiles of keys, each rescaling what the earlier ones left."""
        new = self.buffer("new_top", (self.form.rows,), self.kind)
        scale = self.buffer("rescale", (self.form.rows,), self.kind)
        zero, lowest = Const(0, self.kind), Const(_lowest(self.kind), self.kind)

        def row(i: Var) -> Stmt:
            old, total = Load(self.top, (i,)), Load(self.total, (i,))
            change = Call("exp", (Binary("sub", old, Load(new, (i,))),), self.kind)
            return block(
                *self.shift(i),
                self.store(new, (i,), old, "first"),
                self.most(i, new),
                self.store(scale, (i,), change, "exp"),
                self.store(self.top, (i,), Load(new, (i,)), "keep"),
                self.store(self.total, (i,), Binary("mul", total, Load(scale, (i,))), "rescale"),
                self.powers(i, Load(new, (i,))),
            )

        def rescaled(i: Expr, c: Expr) -> Stmt:
            factor: Expr = Load(scale, (i,))
            return self.store(self.sums, (i, c), Binary("mul", Load(self.sums, (i, c)), self.typed(factor)), "rescale")

        start = self.loop("i", self.form.rows, lambda i: block(
            self.store(self.top, (i,), lowest, "first"), self.store(self.total, (i,), zero, "first")))  # fmt: skip
        none = self.loop("i", self.form.rows, lambda i: self.loop("c", self.columns, lambda c: self.store(
            self.sums, (i, c), Const(0, self.sums.dtype), "first")))  # fmt: skip
        parts = [self.products(), self.softmax(row), self.sumup(rescaled)]
        if self.is_ragged:
            parts.insert(0, self.loop("i", self.form.rows, lambda i: self.store(scale, (i,), zero, "first")))
        step = block(*parts)
        return block(start, none, For(self.key_tile, Const(0), self.key_tiles(), Alloc(new, Alloc(scale, step))))

    def results(self) -> Stmt:
        """The rows of a tile in their place."""
        return self.loop("i", self.row_end(), lambda i: self.loop("c", self.columns, lambda c: self.result(i, c)))

    def result(self, i: Var, c: Var) -> Stmt:
        """An element of the result: a sum of weighted values, divided by the sum of the weights."""
        found, store = self.found, self.found.product.store
        value: Expr = self.typed(Binary("div", Const(1, self.kind), Load(self.total, (i,))))
        value = Binary("mul", Load(self.sums, (i, c)), value)
        here: dict[Var, Expr] = {found.row.var: self.row(i), found.column.var: c}
        target, indices = store.buffer, store.indices
        if found.final is not None:
            last = found.final.store
            load = next(n for n in loads_of(last.value) if n.buffer is target)
            own, theirs = ([x for x in places if isinstance(x, Var)] for places in (load.indices, indices))
            where: dict[Var, Expr] = dict(zip(own, theirs, strict=True))
            done = value
            value = rewrite(substitute(last.value, where), lambda n: done if n is substitute(load, where) else None)
            target, indices = last.buffer, tuple([substitute(x, where) for x in last.indices])
        return self.store(target, tuple([self.at(x, here) for x in indices]), self.at(value, here), "divide")


def _consts(shape: tuple[int, ...]) -> tuple[Expr, ...]:
    return tuple([Const(s) for s in shape])


def _expr(value: Expr | int) -> Expr:
    return Const(value) if isinstance(value, int) else value


def _lowest(kind: DType) -> float:
    return -3.4028234663852886e38 if kind.itemsize_bytes == 4 else -1.7976931348623157e308
