# ruff: noqa: F821  (shapes and dtypes are strings inside annotations)
"""Scripts as users write them, which type checkers must accept; `test_script_types.py` runs one over this file."""

import numpy as np

import akg


@akg.script
def lu(A: akg.Tensor["n", "n", "float64"]):
    n = A.shape[0]
    for i in range(n):
        for j in range(i):
            for k in range(j):
                A[i, j] -= A[i, k] * A[k, j]
            A[i, j] /= A[j, j]
        for j in range(i, n):
            for k in range(i):
                A[i, j] -= A[i, k] * A[k, j]


@akg.script
def steps(
    C: akg.Out["n", "m", "float32"], A: akg.In["n", "m", "float32"], alpha: akg.Scalar["float32"], count: akg.Size,
    shift: float,
):  # fmt: skip
    n, m = A.shape
    for i in range(n):
        total = 0.0
        for j in range(min(m, count)):
            total += alpha * A[i, j] + shift
            C[i, j] = max(total, np.sqrt(abs(A[i, j]))) + len(A)
            if C[i, j] > 0.0 and count > 3:
                C[i, j] = C[i, j] ** 0.5 / float(count // 2)


if __name__ == "__main__":
    kernel = akg.build(lu, strategy="isl")
    kernel(np.eye(4))
    lu(np.eye(4))
