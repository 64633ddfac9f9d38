"""The bench of compile times has a case for every operator."""

import pytest

from bench import typical


@pytest.mark.parametrize("name", typical.names())
def test_every_operator_has_a_typical_shape(name: str) -> None:
    outputs, inputs = typical.define(name)
    assert outputs
    assert len(set(inputs)) == len(inputs)
