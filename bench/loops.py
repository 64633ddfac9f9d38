"""The rows of `bench.operators` as loops in C, as one would write them by hand, for gcc -O3 to make fast.

Each function here gives the body of ``void row(const float *x0, ..., float *y)``; loops that are free are shared by
``omp parallel for``.
"""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

FLAGS = ("-O3", "-march=native", "-mprefer-vector-width=512", "-ffast-math", "-fopenmp", "-shared", "-fPIC")
HEAD = """#include <math.h>
#include <string.h>
#define FOR(i, n) for (long i = 0; i < (n); i++)
#define SHARED _Pragma("omp parallel for schedule(static)")
"""


def compiled(body: str, arrays: Sequence[np.ndarray[Any, Any]], out: np.ndarray[Any, Any] | None) -> Callable[[], None]:
    """A call of the loops on these arrays; the last parameter is `out` if there is one."""
    given = [*arrays, *([] if out is None else [out])]
    names = [f"x{k}" for k in range(len(arrays))] + ["y"] * (out is not None)
    constness = ["const "] * len(arrays) + [""]
    parameters = [f"{c if out is not None else ''}float *restrict {n}" for c, n in zip(constness, names, strict=False)]
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder) / "row.c", Path(folder) / "row.so"
        source.write_text(f"{HEAD}void row({', '.join(parameters)}) {{\n{body}\n}}\n")
        subprocess.run(["gcc", *FLAGS, "-o", str(library), str(source), "-lm"], check=True, capture_output=True)
        function = ctypes.CDLL(str(library)).row
    function.restype = None
    pointers = [ctypes.c_void_p(a.ctypes.data) for a in given]

    def call(_keep: list[Any] = given) -> None:
        function(*pointers)

    return call


def matmul(m: int, n: int, k: int, size: int = 1) -> str:
    """Rows of the product are sums of rows of the second factor, four at a time."""
    return f"""
    SHARED
    for (long bi = 0; bi < {size * m}; bi++) {{
        const float *a = x0 + bi * {k}, *b = x1 + bi / {m} * {k * n}; float *c = y + bi * {n};
        memset(c, 0, {4 * n});
        long l = 0;
        for (; l + 4 <= {k}; l += 4)
            FOR(j, {n}) c[j] += a[l] * b[l * {n} + j] + a[l + 1] * b[(l + 1) * {n} + j]
                              + a[l + 2] * b[(l + 2) * {n} + j] + a[l + 3] * b[(l + 3) * {n} + j];
        for (; l < {k}; l++) FOR(j, {n}) c[j] += a[l] * b[l * {n} + j];
    }}"""


def convolution(n: int, c: int, size: int, f: int, r: int, stride: int, groups: int = 1) -> str:
    """A row of the output at a time; the columns that padding reaches are left out of the inner loop."""
    pad, out = r // 2, (size + 2 * (r // 2) - r) // stride + 1
    channels, filters = c // groups, f // groups
    return f"""
    _Pragma("omp parallel for collapse(2) schedule(static)")
    FOR(b, {n}) FOR(o, {f}) FOR(p, {out}) {{
        float *to = y + ((b * {f} + o) * {out} + p) * {out};
        memset(to, 0, {4 * out});
        FOR(i, {channels}) FOR(u, {r}) {{
            long q = p * {stride} + u - {pad};
            if (q < 0 || q >= {size}) continue;
            const float *from = x0 + ((b * {c} + o / {filters} * {channels} + i) * {size} + q) * {size};
            FOR(v, {r}) {{
                float w = x1[((o * {channels} + i) * {r} + u) * {r} + v];
                long low = {pad} - v > 0 ? ({pad} - v + {stride - 1}) / {stride} : 0;
                long high = ({size - 1 + pad} - v) / {stride} + 1;
                if (high > {out}) high = {out};
                for (long s = low; s < high; s++) to[s] += w * from[s * {stride} + v - {pad}];
            }}
        }}
    }}"""


def max_pool(n: int, c: int, size: int) -> str:
    """3 x 3, stride 2, padding 1: rows first, then columns of three rows' maxima."""
    out = (size - 1) // 2 + 1
    return f"""
    SHARED
    for (long bc = 0; bc < {n * c}; bc++) {{
        float row[{size + 2}];
        row[0] = row[{size + 1}] = -INFINITY;
        FOR(p, {out}) {{
            const float *mid = x0 + (bc * {size} + 2 * p) * {size};
            const float *up = p ? mid - {size} : mid, *down = 2 * p + 1 < {size} ? mid + {size} : mid;
            FOR(s, {size}) row[s + 1] = fmaxf(fmaxf(up[s], mid[s]), down[s]);
            float *to = y + (bc * {out} + p) * {out};
            FOR(s, {out}) to[s] = fmaxf(fmaxf(row[2 * s], row[2 * s + 1]), row[2 * s + 2]);
        }}
    }}"""


def softmax(m: int, n: int) -> str:
    """Three passes over a row."""
    return f"""
    SHARED
    FOR(i, {m}) {{
        const float *x = x0 + i * {n}; float *to = y + i * {n}, top = -INFINITY, sum = 0;
        FOR(j, {n}) top = fmaxf(top, x[j]);
        FOR(j, {n}) {{ to[j] = expf(x[j] - top); sum += to[j]; }}
        sum = 1 / sum;
        FOR(j, {n}) to[j] *= sum;
    }}"""


def layer_norm(m: int, n: int) -> str:
    """Mean, then variance, then the result."""
    return f"""
    SHARED
    FOR(i, {m}) {{
        const float *x = x0 + i * {n}; float *to = y + i * {n}, sum = 0, squares = 0;
        FOR(j, {n}) sum += x[j];
        float mean = sum / {n};
        FOR(j, {n}) squares += (x[j] - mean) * (x[j] - mean);
        float scale = 1 / sqrtf(squares / {n} + 1e-5f);
        FOR(j, {n}) to[j] = (x[j] - mean) * scale * x1[j] + x2[j];
    }}"""


def rms_norm(m: int, n: int) -> str:
    """The mean square, then the result."""
    return f"""
    SHARED
    FOR(i, {m}) {{
        const float *x = x0 + i * {n}; float *to = y + i * {n}, squares = 0;
        FOR(j, {n}) squares += x[j] * x[j];
        float scale = 1 / sqrtf(squares / {n} + 1e-6f);
        FOR(j, {n}) to[j] = x[j] * scale * x1[j];
    }}"""


def elementwise(m: int, n: int, expression: str) -> str:
    """One pass; `expression` is of p, an element's place, and j, its column."""
    return f"""
    SHARED
    FOR(i, {m}) FOR(j, {n}) {{ long p = i * {n} + j; y[p] = {expression}; }}"""


def sum_rows(m: int, n: int) -> str:
    """Each row on its own."""
    return f"""
    SHARED
    FOR(i, {m}) {{ float sum = 0; FOR(j, {n}) sum += x0[i * {n} + j]; y[i] = sum; }}"""


def sum_columns(m: int, n: int) -> str:
    """Rows are added up, in shares of the columns."""
    return f"""
    memset(y, 0, {4 * n});
    #pragma omp parallel
    FOR(i, {m}) {{
        #pragma omp for schedule(static) nowait
        for (long j = 0; j < {n}; j++) y[j] += x0[i * {n} + j];
    }}"""


def transpose(n: int) -> str:
    """In tiles of 32 by 32."""
    return f"""
    SHARED
    for (long bi = 0; bi < {n}; bi += 32) for (long bj = 0; bj < {n}; bj += 32)
        for (long j = bj; j < bj + 32 && j < {n}; j++) for (long i = bi; i < bi + 32 && i < {n}; i++)
            y[j * {n} + i] = x0[i * {n} + j];"""


def attention(b: int, h: int, t: int, d: int) -> str:
    """A row of scores at a time."""
    return f"""
    SHARED
    for (long r = 0; r < {b * h * t}; r++) {{
        const float *q = x0 + r * {d}, *k = x1 + r / {t} * {t * d}, *v = x2 + r / {t} * {t * d};
        float *to = y + r * {d}, score[{t}], top = -INFINITY, sum = 0;
        FOR(j, {t}) {{ float s = 0; FOR(l, {d}) s += q[l] * k[j * {d} + l]; score[j] = s * {float(d) ** -0.5:.9g}f; }}
        FOR(j, {t}) top = fmaxf(top, score[j]);
        FOR(j, {t}) {{ score[j] = expf(score[j] - top); sum += score[j]; }}
        memset(to, 0, {4 * d});
        FOR(j, {t}) FOR(l, {d}) to[l] += score[j] * v[j * {d} + l];
        FOR(l, {d}) to[l] /= sum;
    }}"""


def jacobi(n: int, steps: int) -> str:
    """From one array to another and back."""
    return f"""
    static float b[{n * n}];
    FOR(t, {steps}) {{
        SHARED
        for (long i = 1; i < {n - 1}; i++) for (long j = 1; j < {n - 1}; j++) {{
            const float *a = x0 + i * {n} + j;
            b[i * {n} + j] = 0.2f * (a[0] + a[-1] + a[1] + a[{n}] + a[-{n}]);
        }}
        SHARED
        for (long i = 1; i < {n - 1}; i++) memcpy(x0 + i * {n} + 1, b + i * {n} + 1, {4 * (n - 2)});
    }}"""
