"""Plug-ins are notified of experiments and of every number; one that raises is named once and costs nothing."""

import sys
from types import ModuleType

import pluggy
import pytest
from small_experiment import small

from chaosbench import hookimpl, hookspecs
from chaosbench.diagnostics import Loss
from chaosbench.events import Listeners
from chaosbench.experiment import Record
from chaosbench.run import run_experiment
from chaosbench.together import Company


def listeners(event: str, **plugins: object) -> Listeners:
    """Return the listeners among plug-ins, each of which is one function for this event."""
    manager = pluggy.PluginManager("chaosbench")
    manager.add_hookspecs(hookspecs)
    for name, function in plugins.items():
        module = ModuleType(name)
        setattr(module, f"chaosbench_{event}", hookimpl(function))
        manager.register(module, name=name)
    return Listeners(manager, event)


@pytest.mark.parametrize("raised", [ValueError("not now"), SystemExit("not now")], ids=["an error", "an exit"])
def test_a_plug_in_that_raises_is_named_once_and_the_others_are_notified(raised: BaseException):
    called, heard = list[str](), list[str]()

    def angry(experiment):
        called.append(experiment)
        raise raised

    def calm(experiment):
        heard.append(experiment)

    both = listeners("experiment_started", angry=angry, calm=calm)
    for name in ("first", "second"):
        both(experiment=name)
    (sentence,) = both.failures.values()
    assert "angry" in sentence
    assert "not now" in sentence
    assert called == ["first"]
    assert heard == ["first", "second"]


def test_a_plug_in_without_the_hook_is_no_listener():
    manager = pluggy.PluginManager("chaosbench")
    manager.add_hookspecs(hookspecs)
    manager.register(sys.modules[__name__], name="silent")
    assert not Listeners(manager, "recorded")


def keyed(records) -> list[tuple[object, ...]]:
    return sorted((one.experiment, one.name, one.seed, one.update or -1, repr(one.value)) for one in records)


def test_every_record_is_announced_once_and_those_of_diagnostics_while_the_model_trains():
    announced, phases, phase = list[Record](), dict[str, set[str]](), ["start"]

    def announce(record: Record) -> None:
        announced.append(record)
        phases.setdefault(record.name, set()).add(phase[0])

    experiment = small().replaced(diagnostics=(Loss(every=1),))
    result = run_experiment(experiment, watch=lambda progress: phase.__setitem__(0, progress.phase), announce=announce)
    assert keyed(announced) == keyed(result.records)
    assert phases["loss(every=1)"] == {"training"}
    assert phases["state_space_divergence"] == {"scores"}


def test_records_of_experiments_that_train_as_one_batch_are_those_of_each():
    announced = list[Record]()
    first = small().replaced(diagnostics=(Loss(every=2),))
    batch = [first, first.replaced(trainer=first.trainer.replaced(interval=7), seeds=(5,))]
    company = Company(batch, device="cpu", plugins={}, announce=announced.append)
    company.train(lambda progress: None)
    results = [company.finish(index, lambda progress: None) for index in range(2)]
    assert keyed(announced) == keyed(record for result in results for record in result.records)
