# ruff: noqa: B007, F821  (shapes and dtypes are strings inside annotations)
"""Loop nests in the manner of PolyBench, for the scheduler: written from their definitions."""

from akg.ir.script import In, Script, Size, Tensor, script


@script
def jacobi_1d(A: Tensor["n", "float64"], B: Tensor["n", "float64"], steps: Size):
    n = A.shape[0]
    for t in range(steps):
        for i in range(1, n - 1):
            B[i] = 0.33333 * (A[i - 1] + A[i] + A[i + 1])
        for i in range(1, n - 1):
            A[i] = 0.33333 * (B[i - 1] + B[i] + B[i + 1])


@script
def jacobi_2d(A: Tensor["n", "n", "float64"], B: Tensor["n", "n", "float64"], steps: Size):
    n = A.shape[0]
    for t in range(steps):
        for i in range(1, n - 1):
            for j in range(1, n - 1):
                B[i, j] = 0.2 * (A[i, j] + A[i, j - 1] + A[i, 1 + j] + A[1 + i, j] + A[i - 1, j])
        for i in range(1, n - 1):
            for j in range(1, n - 1):
                A[i, j] = 0.2 * (B[i, j] + B[i, j - 1] + B[i, 1 + j] + B[1 + i, j] + B[i - 1, j])


@script
def heat_3d(A: Tensor["n", "n", "n", "float64"], B: Tensor["n", "n", "n", "float64"], steps: Size):
    n = A.shape[0]
    for t in range(steps):
        for i in range(1, n - 1):
            for j in range(1, n - 1):
                for k in range(1, n - 1):
                    B[i, j, k] = (
                        0.125 * (A[i + 1, j, k] - 2.0 * A[i, j, k] + A[i - 1, j, k])
                        + 0.125 * (A[i, j + 1, k] - 2.0 * A[i, j, k] + A[i, j - 1, k])
                        + 0.125 * (A[i, j, k + 1] - 2.0 * A[i, j, k] + A[i, j, k - 1])
                        + A[i, j, k]
                    )
        for i in range(1, n - 1):
            for j in range(1, n - 1):
                for k in range(1, n - 1):
                    A[i, j, k] = (
                        0.125 * (B[i + 1, j, k] - 2.0 * B[i, j, k] + B[i - 1, j, k])
                        + 0.125 * (B[i, j + 1, k] - 2.0 * B[i, j, k] + B[i, j - 1, k])
                        + 0.125 * (B[i, j, k + 1] - 2.0 * B[i, j, k] + B[i, j, k - 1])
                        + B[i, j, k]
                    )


@script
def fdtd_2d(
    ex: Tensor["n", "m", "float64"],
    ey: Tensor["n", "m", "float64"],
    hz: Tensor["n", "m", "float64"],
    fict: In["steps", "float64"],
):
    n, m = ex.shape
    steps = fict.shape[0]
    for t in range(steps):
        for j in range(m):
            ey[0, j] = fict[t]
        for i in range(1, n):
            for j in range(m):
                ey[i, j] = ey[i, j] - 0.5 * (hz[i, j] - hz[i - 1, j])
        for i in range(n):
            for j in range(1, m):
                ex[i, j] = ex[i, j] - 0.5 * (hz[i, j] - hz[i, j - 1])
        for i in range(n - 1):
            for j in range(m - 1):
                hz[i, j] = hz[i, j] - 0.7 * (ex[i, j + 1] - ex[i, j] + ey[i + 1, j] - ey[i, j])


@script
def two_mm(
    A: In["ni", "nk", "float64"],
    B: In["nk", "nj", "float64"],
    C: In["nj", "nl", "float64"],
    D: Tensor["ni", "nl", "float64"],
    tmp: Tensor["ni", "nj", "float64"],
    alpha: float,
    beta: float,
):
    ni, nl = D.shape
    for i in range(ni):
        for j in range(B.shape[1]):
            tmp[i, j] = 0.0
            for k in range(A.shape[1]):
                tmp[i, j] += alpha * A[i, k] * B[k, j]
    for i in range(ni):
        for j in range(nl):
            D[i, j] *= beta
            for k in range(B.shape[1]):
                D[i, j] += tmp[i, k] * C[k, j]


@script
def mvt(
    A: In["n", "n", "float64"],
    x1: Tensor["n", "float64"],
    x2: Tensor["n", "float64"],
    y1: In["n", "float64"],
    y2: In["n", "float64"],
):
    n = A.shape[0]
    for i in range(n):
        for j in range(n):
            x1[i] += A[i, j] * y1[j]
    for i in range(n):
        for j in range(n):
            x2[i] += A[j, i] * y2[j]


@script
def atax(A: In["m", "n", "float64"], x: In["n", "float64"], y: Tensor["n", "float64"], tmp: Tensor["m", "float64"]):
    m, n = A.shape
    for i in range(n):
        y[i] = 0.0
    for i in range(m):
        tmp[i] = 0.0
        for j in range(n):
            tmp[i] += A[i, j] * x[j]
        for j in range(n):
            y[j] += A[i, j] * tmp[i]


@script
def gemver(
    A: Tensor["n", "n", "float64"],
    u1: In["n", "float64"],
    v1: In["n", "float64"],
    u2: In["n", "float64"],
    v2: In["n", "float64"],
    w: Tensor["n", "float64"],
    x: Tensor["n", "float64"],
    y: In["n", "float64"],
    z: In["n", "float64"],
    alpha: float,
    beta: float,
):
    n = A.shape[0]
    for i in range(n):
        for j in range(n):
            A[i, j] = A[i, j] + u1[i] * v1[j] + u2[i] * v2[j]
    for i in range(n):
        for j in range(n):
            x[i] = x[i] + beta * A[j, i] * y[j]
    for i in range(n):
        x[i] = x[i] + z[i]
    for i in range(n):
        for j in range(n):
            w[i] = w[i] + alpha * A[i, j] * x[j]


@script
def trisolv(L: In["n", "n", "float64"], x: Tensor["n", "float64"], b: In["n", "float64"]):
    n = b.shape[0]
    for i in range(n):
        x[i] = b[i]
        for j in range(i):
            x[i] -= L[i, j] * x[j]
        x[i] = x[i] / L[i, i]


@script
def durbin(r: In["n", "float64"], y: Tensor["n", "float64"], z: Tensor["n", "float64"]):
    n = r.shape[0]
    y[0] = -r[0]
    beta = 1.0
    alpha = -r[0]
    for k in range(1, n):
        beta = (1.0 - alpha * alpha) * beta
        s = 0.0
        for i in range(k):
            s += r[k - i - 1] * y[i]
        alpha = -(r[k] + s) / beta
        for i in range(k):
            z[i] = y[i] + alpha * y[k - i - 1]
        for i in range(k):
            y[i] = z[i]
        y[k] = alpha


@script
def doitgen(A: Tensor["r", "q", "p", "float64"], C4: In["p", "p", "float64"], s: Tensor["p", "float64"]):
    nr, nq, np_ = A.shape
    for r in range(nr):
        for q in range(nq):
            for p in range(np_):
                s[p] = 0.0
                for k in range(np_):
                    s[p] += A[r, q, k] * C4[k, p]
            for p in range(np_):
                A[r, q, p] = s[p]


@script
def covariance(
    data: Tensor["n", "m", "float64"], cov: Tensor["m", "m", "float64"], mean: Tensor["m", "float64"], fn: float
):
    n, m = data.shape
    for j in range(m):
        mean[j] = 0.0
        for i in range(n):
            mean[j] += data[i, j]
        mean[j] /= fn
    for i in range(n):
        for j in range(m):
            data[i, j] -= mean[j]
    for i in range(m):
        for j in range(i, m):
            cov[i, j] = 0.0
            for k in range(n):
                cov[i, j] += data[k, i] * data[k, j]
            cov[i, j] /= fn - 1.0
            cov[j, i] = cov[i, j]


@script
def adi(
    u: Tensor["n", "n", "float64"],
    v: Tensor["n", "n", "float64"],
    p: Tensor["n", "n", "float64"],
    q: Tensor["n", "n", "float64"],
    steps: Size,
    a: float,
    b: float,
    c: float,
    d: float,
    e: float,
    f: float,
):
    n = u.shape[0]
    for t in range(1, steps + 1):
        for i in range(1, n - 1):
            v[0, i] = 1.0
            p[i, 0] = 0.0
            q[i, 0] = v[0, i]
            for j in range(1, n - 1):
                p[i, j] = -c / (a * p[i, j - 1] + b)
                q[i, j] = (-d * u[j, i - 1] + (1.0 + 2.0 * d) * u[j, i] - f * u[j, i + 1] - a * q[i, j - 1]) / (
                    a * p[i, j - 1] + b
                )
            v[n - 1, i] = 1.0
            for j in range(n - 2, 0, -1):
                v[j, i] = p[i, j] * v[j + 1, i] + q[i, j]
        for i in range(1, n - 1):
            u[i, 0] = 1.0
            p[i, 0] = 0.0
            q[i, 0] = u[i, 0]
            for j in range(1, n - 1):
                p[i, j] = -f / (d * p[i, j - 1] + e)
                q[i, j] = (-a * v[i - 1, j] + (1.0 + 2.0 * a) * v[i, j] - c * v[i + 1, j] - d * q[i, j - 1]) / (
                    d * p[i, j - 1] + e
                )
            u[i, n - 1] = 1.0
            for j in range(n - 2, 0, -1):
                u[i, j] = p[i, j] * u[i, j + 1] + q[i, j]


@script
def ludcmp(A: Tensor["n", "n", "float64"], b: In["n", "float64"], x: Tensor["n", "float64"], y: Tensor["n", "float64"]):
    n = A.shape[0]
    for i in range(n):
        for j in range(i):
            w = A[i, j]
            for k in range(j):
                w -= A[i, k] * A[k, j]
            A[i, j] = w / A[j, j]
        for j in range(i, n):
            w = A[i, j]
            for k in range(i):
                w -= A[i, k] * A[k, j]
            A[i, j] = w
    for i in range(n):
        w = b[i]
        for j in range(i):
            w -= A[i, j] * y[j]
        y[i] = w
    for i in range(n - 1, -1, -1):
        w = y[i]
        for j in range(i + 1, n):
            w -= A[i, j] * x[j]
        x[i] = w / A[i, i]


@script
def deriche(
    img: In["w", "h", "float64"],
    out: Tensor["w", "h", "float64"],
    y1: Tensor["w", "h", "float64"],
    y2: Tensor["w", "h", "float64"],
    a1: float,
    a2: float,
    a3: float,
    a4: float,
    b1: float,
    b2: float,
):
    w, h = img.shape
    for i in range(w):
        ym1 = 0.0
        ym2 = 0.0
        xm1 = 0.0
        for j in range(h):
            y1[i, j] = a1 * img[i, j] + a2 * xm1 + b1 * ym1 + b2 * ym2
            xm1 = img[i, j]
            ym2 = ym1
            ym1 = y1[i, j]
    for i in range(w):
        yp1 = 0.0
        yp2 = 0.0
        xp1 = 0.0
        xp2 = 0.0
        for j in range(h - 1, -1, -1):
            y2[i, j] = a3 * xp1 + a4 * xp2 + b1 * yp1 + b2 * yp2
            xp2 = xp1
            xp1 = img[i, j]
            yp2 = yp1
            yp1 = y2[i, j]
    for i in range(w):
        for j in range(h):
            out[i, j] = y1[i, j] + y2[i, j]
    for j in range(h):
        tm1 = 0.0
        ym1b = 0.0
        ym2b = 0.0
        for i in range(w):
            y1[i, j] = a1 * out[i, j] + a2 * tm1 + b1 * ym1b + b2 * ym2b
            tm1 = out[i, j]
            ym2b = ym1b
            ym1b = y1[i, j]
    for j in range(h):
        tp1 = 0.0
        tp2 = 0.0
        yp1b = 0.0
        yp2b = 0.0
        for i in range(w - 1, -1, -1):
            y2[i, j] = a3 * tp1 + a4 * tp2 + b1 * yp1b + b2 * yp2b
            tp2 = tp1
            tp1 = out[i, j]
            yp2b = yp1b
            yp1b = y2[i, j]
    for i in range(w):
        for j in range(h):
            out[i, j] = y1[i, j] + y2[i, j]


@script
def correlation(
    data: Tensor["n", "m", "float64"],
    corr: Tensor["m", "m", "float64"],
    mean: Tensor["m", "float64"],
    std: Tensor["m", "float64"],
    fn: float,
):
    n, m = data.shape
    for j in range(m):
        mean[j] = 0.0
        for i in range(n):
            mean[j] += data[i, j]
        mean[j] /= fn
    for j in range(m):
        std[j] = 0.0
        for i in range(n):
            std[j] += (data[i, j] - mean[j]) * (data[i, j] - mean[j])
        std[j] /= fn
        std[j] = std[j] ** 0.5
    for i in range(n):
        for j in range(m):
            data[i, j] -= mean[j]
            data[i, j] /= fn * std[j]
    for i in range(m - 1):
        corr[i, i] = 1.0
        for j in range(i + 1, m):
            corr[i, j] = 0.0
            for k in range(n):
                corr[i, j] += data[k, i] * data[k, j]
            corr[j, i] = corr[i, j]
    corr[m - 1, m - 1] = 1.0


@script
def symm(
    A: In["m", "m", "float64"], B: In["m", "n", "float64"], C: Tensor["m", "n", "float64"], alpha: float, beta: float
):
    m, n = C.shape
    for i in range(m):
        for j in range(n):
            temp2 = 0.0
            for k in range(i):
                C[k, j] += alpha * B[i, j] * A[i, k]
                temp2 += B[k, j] * A[i, k]
            C[i, j] = beta * C[i, j] + alpha * B[i, j] * A[i, i] + alpha * temp2


@script
def nussinov(S: In["n", "float64"], T: Tensor["n", "n", "float64"]):
    n = T.shape[0]
    for i in range(n - 1, -1, -1):
        for j in range(i + 1, n):
            if j - 1 >= 0:
                T[i, j] = max(T[i, j], T[i, j - 1])
            if i + 1 < n:
                T[i, j] = max(T[i, j], T[i + 1, j])
            if j - 1 >= 0:
                if i + 1 < n:
                    if i < j - 1:
                        T[i, j] = max(T[i, j], T[i + 1, j - 1] + S[i])
                    else:
                        T[i, j] = max(T[i, j], T[i + 1, j - 1])
            for k in range(i + 1, j):
                T[i, j] = max(T[i, j], T[i, k] + T[k + 1, j])


NESTS: dict[str, Script] = {k: v for k, v in list(globals().items()) if isinstance(v, Script)}
