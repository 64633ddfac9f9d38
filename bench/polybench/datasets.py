"""The five dataset sizes of PolyBench/C 4.2.1, and odd sizes for tests."""

from __future__ import annotations

DATASETS = ("MINI", "SMALL", "MEDIUM", "LARGE", "EXTRALARGE", "TEST")

Sizes = dict[str, int]
_SYMMETRIC = ("m n", "20 30", "60 80", "200 240", "1000 1200", "2000 2600", "37 43")
_SQUARE = ("n", "40", "120", "400", "2000", "4000", "53")

# names of the sizes, then their values in each dataset
_TABLE: dict[str, tuple[str, ...]] = {
    "correlation": ("m n", "28 32", "80 100", "240 260", "1200 1400", "2600 3000", "39 45"),
    "covariance": ("m n", "28 32", "80 100", "240 260", "1200 1400", "2600 3000", "39 45"),
    "2mm": ("ni nj nk nl", "16 18 22 24", "40 50 70 80", "180 190 210 220", "800 900 1100 1200",
            "1600 1800 2200 2400", "37 39 41 43"),
    "3mm": ("ni nj nk nl nm", "16 18 20 22 24", "40 50 60 70 80", "180 190 200 210 220", "800 900 1000 1100 1200",
            "1600 1800 2000 2200 2400", "37 39 41 43 45"),
    "atax": ("m n", "38 42", "116 124", "390 410", "1900 2100", "1800 2200", "67 71"),
    "bicg": ("m n", "38 42", "116 124", "390 410", "1900 2100", "1800 2200", "67 71"),
    "doitgen": ("nq nr np", "8 10 12", "20 25 30", "40 50 60", "140 150 160", "220 250 270", "9 11 35"),
    "mvt": _SQUARE,
    "gemm": ("ni nj nk", "20 25 30", "60 70 80", "200 220 240", "1000 1100 1200", "2000 2300 2600", "37 41 43"),
    "gemver": _SQUARE,
    "gesummv": ("n", "30", "90", "250", "1300", "2800", "53"),
    "symm": _SYMMETRIC,
    "syr2k": _SYMMETRIC,
    "syrk": _SYMMETRIC,
    "trmm": _SYMMETRIC,
    "cholesky": _SQUARE,
    "durbin": _SQUARE,
    # More columns than rows leave nothing to orthogonalise: tests take a tall matrix.
    "gramschmidt": ("m n", "20 30", "60 80", "200 240", "1000 1200", "2000 2600", "43 37"),
    "lu": _SQUARE,
    "ludcmp": _SQUARE,
    "trisolv": _SQUARE,
    "deriche": ("w h", "64 64", "192 128", "720 480", "4096 2160", "7680 4320", "45 39"),
    "floyd-warshall": ("n", "60", "180", "500", "2800", "5600", "53"),
    "nussinov": ("n", "60", "180", "500", "2500", "5500", "53"),
    "adi": ("steps n", "20 20", "40 60", "100 200", "500 1000", "1000 2000", "5 39"),
    "fdtd-2d": ("steps nx ny", "20 20 30", "40 60 80", "100 200 240", "500 1000 1200", "1000 2000 2600", "9 37 41"),
    "heat-3d": ("steps n", "20 10", "40 20", "100 40", "500 120", "1000 200", "7 19"),
    "jacobi-1d": ("steps n", "20 30", "40 120", "100 400", "500 2000", "1000 4000", "37 75"),
    "jacobi-2d": ("steps n", "20 30", "40 90", "100 250", "500 1300", "1000 2800", "9 41"),
    "seidel-2d": ("steps n", "20 40", "40 120", "100 400", "500 2000", "1000 4000", "9 41"),
}  # fmt: skip


def sizes(kernel: str, dataset: str) -> Sizes:
    """The sizes of a kernel by name, such as {"ni": 20, "nj": 25, "nk": 30}."""
    names, *rows = _TABLE[kernel]
    return dict(zip(names.split(), map(int, rows[DATASETS.index(dataset)].split()), strict=True))
