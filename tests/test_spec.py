"""Specs: identity by content."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from chaosbench.models import LSTM, PLRNN
from chaosbench.spec import field_comments
from chaosbench.systems import Lorenz63
from chaosbench.trainers import SparseTeacherForcing


def test_a_label_tells_what_differs_from_the_defaults():
    assert LSTM().label == "lstm"
    assert LSTM(hidden=64).label == "lstm(hidden=64)"
    assert Lorenz63(rho=38).label == "lorenz63(rho=38)"
    assert PLRNN(hidden=8, readout="identity").label == "plrnn(hidden=8, readout=identity)"


def test_an_integer_and_the_equal_float_are_the_same_content():
    assert Lorenz63(rho=38).digest() == Lorenz63(rho=38.0).digest()


@given(st.floats(min_value=1, max_value=100), st.floats(min_value=1, max_value=100))
def test_specs_are_equal_just_where_their_digests_are(one: float, other: float):
    first, second = Lorenz63(rho=one), Lorenz63(rho=other)
    assert (first == second) == (first.digest() == second.digest())


def test_a_digest_is_the_same_in_another_process():
    """Hash randomisation must not reach it."""
    code = "from chaosbench.models import LSTM; print(LSTM(hidden=64).digest())"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == LSTM(hidden=64).digest()


def test_specs_are_frozen_and_refuse_what_they_do_not_know():
    with pytest.raises(ValidationError, match="frozen"):
        LSTM().hidden = 3
    with pytest.raises(ValidationError, match="Extra inputs"):
        LSTM(hiden=3)
    with pytest.raises(ValidationError, match="finite"):
        Lorenz63(rho=float("nan"))


def test_a_replaced_field_is_validated():
    assert LSTM().replaced(hidden=5) == LSTM(hidden=5)
    with pytest.raises(ValidationError):
        LSTM().replaced(hidden=0)


def test_the_comment_behind_a_field_is_its_meaning():
    """Fields of a base class keep theirs, and a class may give a field of its base another one."""
    comments = field_comments(SparseTeacherForcing)
    assert comments["interval"].startswith("tau [steps]")
    assert comments["batch"].startswith("B,")
    assert "kind" not in comments
