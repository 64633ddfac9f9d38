"""The table of mistakes in scripts."""

CASES = {}


def case(expected):
    """A function and the error that lowering it gives; the place is marked under the source line."""

    def add(function):
        assert function.__name__ not in CASES
        CASES[function.__name__] = (function, expected)
        return function

    return add
