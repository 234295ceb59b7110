"""The system, the model and the trainer pass chaosbench's conformance kit. Add tests of your own formulas."""

import pytest
import torch
from chaosbench_template import TemplateModel, TemplateSystem, TemplateTrainer

from chaosbench.testing import check_model, check_system, check_trainer


def test_the_system_fulfils_its_contract():
    check_system(TemplateSystem())


@pytest.mark.parametrize("dimension", [1, 3])
def test_the_model_fulfils_its_contract(dimension: int):
    check_model(TemplateModel(hidden=8), dimension)


def test_the_trainer_fulfils_its_contract():
    check_trainer(TemplateTrainer(updates=5, batch=4), model=TemplateModel(hidden=8))


def test_the_vector_field_has_its_fixed_point():
    """y z = 0, y = x² and x = 1 / a give (1 / a, 1 / a², 0)."""
    point = torch.tensor([0.25, 0.0625, 0.0], dtype=torch.float64)
    assert TemplateSystem().vector_field(point).abs().max() == 0
