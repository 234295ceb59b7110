"""Suites: grids, selections, changes, and errors that keep their place."""

import json
from pathlib import Path

import pytest

from chaosbench import registry, suite
from chaosbench.errors import ChaosbenchError
from chaosbench.suite import Selection

KINDS = registry.load()
SMALL = """
suite = "small"
seeds = [0, 1]
[[systems]]
kind = "lorenz63"
rho = [28.0, 38.0]
[[models]]
kind = "lstm"
hidden = [10, 20, 30]
[[models]]
kind = "rnn"
[[trainers]]
kind = "sparse_teacher_forcing"
interval = ["tau_pred", 30]
[[trainers]]
kind = "bptt"
"""


def load(tmp_path: Path, text: str, **selection):
    path = tmp_path / "suite.toml"
    path.write_text(text)
    return suite.load(str(path), KINDS, Selection(**selection))


def test_lists_are_grids(tmp_path: Path):
    experiments = load(tmp_path, SMALL)
    assert len(experiments) == 2 * 4 * 3
    assert len({experiment.digest() for experiment in experiments}) == len(experiments)
    assert {experiment.trainer.label for experiment in experiments} == {
        "sparse_teacher_forcing(interval=tau_pred)", "sparse_teacher_forcing(interval=30)", "bptt",
    }  # fmt: skip


def test_a_selection_is_by_kind_or_label(tmp_path: Path):
    chosen = load(tmp_path, SMALL, models=["lstm(hidden=10)", "rnn"], trainers=["bptt"], seeds=[7])
    assert [(e.system.label, e.model.label) for e in chosen] == [
        (system, model) for system in ("lorenz63", "lorenz63(rho=38)") for model in ("lstm(hidden=10)", "rnn")
    ]  # fmt: skip
    assert chosen[0].seeds == (7,)


def test_a_change_reaches_every_entry_that_has_the_field(tmp_path: Path):
    changed = load(tmp_path, SMALL, changes={"trainer.interval": 12, "trainer.updates": 5, "system.rho": 30.0})
    assert {e.trainer.label for e in changed} == {"sparse_teacher_forcing(updates=5, interval=12)", "bptt(updates=5)"}
    assert {e.system.label for e in changed} == {"lorenz63(rho=30)"}


def test_the_identity_does_not_depend_on_seeds_and_suite(tmp_path: Path):
    one, other = load(tmp_path, SMALL), load(tmp_path, SMALL.replace("small", "large"), seeds=[5])
    assert one[0].digest() != other[0].digest()
    assert one[0].identity == other[0].identity
    assert one[0].identity != one[1].identity


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('kind = "rnn"', 'kind = "rnm"', "models.1.kind: no model is called 'rnm'; did you mean 'rnn'"),
        ('kind = "rnn"', 'kind = "rnn"\nhiden = 3', "models.1.rnn.hiden: no field .*did you mean 'hidden'"),
        ('kind = "rnn"', 'kind = "rnn"\nhidden = "many"', "models.1.rnn.hidden: .*integer.*got 'many'"),
        ('kind = "rnn"', 'kind = "rnn"\nhidden = 0', "models.1.rnn.hidden: .*greater than or equal to 1; got 0"),
        ('kind = "rnn"', 'kind = "rnn"\nhidden = []', "models.1.rnn.hidden: an empty grid"),
        ('kind = "rnn"', "hidden = 3", "models.1: needs a kind"),
        ('interval = ["tau_pred", 30]', 'interval = "fast"', "trainers.0.sparse_teacher_forcing.interval.*'fast'"),
        ("seeds = [0, 1]", "seeds = [0, 0]", "seeds must be a list of different whole numbers"),
        ("seeds = [0, 1]", "seeds = []", "seeds must be"),
        ("seeds = [0, 1]", "sedes = [0, 1]", "no key of a suite is called 'sedes'; did you mean 'seeds'"),
        ("seeds = [0, 1]", 'metrics = ["state_space_divergece"]', "metrics.0: no metric.*'state_space_divergence'"),
        ("seeds = [0, 1]", 'metrics = ["prediction_error", "prediction_error"]', "listed twice"),
        ("seeds = [0, 1]", "[evaluation]\nfree_run_steps = 20_000", "20000 needs test orbits at least as long"),
        ("seeds = [0, 1]", "[evaluation]\nhorizon = 10", "prediction_error needs evaluation.horizon of at least 20"),
        ("seeds = [0, 1]", "[data]\ntrain_orbitz = 3", "data.train_orbitz: no field.*did you mean 'train_orbits'"),
        ('suite = "small"', "", "the key suite must name the suite"),
        ('suite = "small"', "suite = ", "is not valid TOML"),
    ],
)  # fmt: skip
def test_an_error_names_the_place_in_the_file_and_the_nearest_choice(tmp_path: Path, old: str, new: str, message: str):
    with pytest.raises(ChaosbenchError, match=message):
        load(tmp_path, SMALL.replace(old, new))


def test_a_suite_without_models_is_an_error(tmp_path: Path):
    with pytest.raises(ChaosbenchError, match=r"at least one \[\[models\]\]"):
        load(tmp_path, SMALL.replace("[[models]]", "[[trainers]]"))


PARTS = """
suite = "parts"
metrics = ["prediction_error"]
[[systems]]
kind = "lorenz63"
[[models]]
kind = "rnn"

[[parts]]
seeds = [3]
data = { train_length = 4_000 }
[[parts.trainers]]
kind = "sparse_teacher_forcing"
interval = [10, 20]

[[parts]]
metrics = ["skill"]
evaluation = { horizon = 100 }
[[parts.systems]]
kind = "rossler"
[[parts.models]]
kind = "lstm"
[[parts.models]]
kind = "rnn"
[[parts.trainers]]
kind = "bptt"
"""


def test_a_part_inherits_missing_keys_from_the_head_of_the_file(tmp_path: Path):
    experiments = load(tmp_path, PARTS)
    assert [(e.system.kind, e.model.kind, e.trainer.kind) for e in experiments] == [
        ("lorenz63", "rnn", "sparse_teacher_forcing"),
        ("lorenz63", "rnn", "sparse_teacher_forcing"),
        ("rossler", "lstm", "bptt"),
        ("rossler", "rnn", "bptt"),
    ]
    first, last = experiments[0], experiments[-1]
    assert (first.suite, first.seeds, first.metrics[0].kind) == ("parts", (3,), "prediction_error")
    assert (last.suite, last.seeds, last.metrics[0].kind) == ("parts", (0,), "skill")
    assert (first.data.train_length, last.data.train_length) == (4_000, 3_000)
    assert (first.evaluation.horizon, last.evaluation.horizon) == (None, 100)


def test_a_suite_without_parts_equals_a_suite_with_one_part(tmp_path: Path):
    head, _, tables = SMALL.partition("[[systems]]")
    tables = ("[[systems]]" + tables).replace("[[", "[[parts.")
    assert load(tmp_path, f"{head}[[parts]]\n{tables}") == load(tmp_path, SMALL)


def test_a_selection_and_a_change_reach_every_part(tmp_path: Path):
    chosen = load(tmp_path, PARTS, models=["rnn"], seeds=[9], changes={"trainer.updates": 7, "data.noise": 0.1})
    assert [(e.system.kind, e.trainer.updates, e.data.noise) for e in chosen] == [
        ("lorenz63", 7, 0.1), ("lorenz63", 7, 0.1), ("rossler", 7, 0.1),
    ]  # fmt: skip
    assert {e.seeds for e in chosen} == {(9,)}
    assert {e.trainer.interval for e in load(tmp_path, PARTS, trainers=["sparse_teacher_forcing"],
                                             changes={"trainer.interval": 5})} == {5}  # fmt: skip
    with pytest.raises(ChaosbenchError, match=r"no part of the suite .* contains the selected"):
        load(tmp_path, PARTS, models=["lstm"], trainers=["sparse_teacher_forcing"])
    with pytest.raises(ChaosbenchError, match="no model of this suite is called 'gru'"):
        load(tmp_path, PARTS, models=["gru"])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('kind = "bptt"', 'kind = "bppt"', r"parts\.1\.trainers\.0\.kind: no trainer .*'bptt'"),
        ('kind = "bptt"', 'kind = "bptt"\nclip = 1', r"parts\.1\.trainers\.0\.bptt\.clip: no field"),
        ("horizon = 100", "horizn = 100", r"parts\.1\.evaluation\.horizn: no field.*'horizon'"),
        ("horizon = 100", "horizon = 99_999", r"parts\.1: evaluation\.horizon = 99999 must be shorter"),
        ("train_length", "train_lenght", r"parts\.0\.data\.train_lenght: no field"),
        ('metrics = ["skill"]', 'metrics = ["skil"]', r"parts\.1\.metrics\.0: no metric"),
        ('metrics = ["prediction_error"]', 'metrics = ["nothing"]', r"^metrics\.0: no metric"),
        ("seeds = [3]", "sedes = [3]", r"parts\.0: no key of a suite is called 'sedes'; did you mean 'seeds'"),
        ("seeds = [3]", 'suite = "inner"', r"parts\.0: no key of a suite is called 'suite'"),
        ('[[parts.trainers]]\nkind = "bptt"', "", r"parts\.1: needs at least one \[\[trainers\]\]"),
        ('suite = "parts"', 'suite = "parts"\n[[prats]]\nseeds = [1]', "no key of a suite is called 'prats'.*'parts'"),
    ],
)
def test_an_error_in_a_part_names_its_place(tmp_path: Path, old: str, new: str, message: str):
    assert old in PARTS
    with pytest.raises(ChaosbenchError, match=message):
        load(tmp_path, PARTS.replace(old, new))


@pytest.mark.parametrize("given", ["3", "[]", "[3]", "{ seeds = [1] }"])
def test_parts_must_be_tables(tmp_path: Path, given: str):
    with pytest.raises(ChaosbenchError, match=r"parts must be .*\[\[parts\]\]"):
        load(tmp_path, f"parts = {given}\n{SMALL}")


def test_the_schema_of_a_part_is_that_of_a_suite_without_its_name():
    schema = suite.schema(KINDS)
    part = schema["properties"]["parts"]["items"]
    assert part["additionalProperties"] is False
    assert part["properties"] == {k: v for k, v in schema["properties"].items() if k not in ("suite", "parts")}
    assert schema["anyOf"] == [{"required": ["systems", "models", "trainers"]}, {"required": ["parts"]}]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trainer.updats": 3}, "no field of a trainer of this suite is called 'updats'; did you mean 'updates'"),
        ({"trainr.updates": 3}, "no part of an experiment is called 'trainr'; did you mean 'trainer'"),
        ({"trainer": 3}, "name a field"),
        ({"model.hidden": -1}, "models.0.lstm.hidden"),
    ],
)
def test_a_wrong_change_is_an_error(tmp_path: Path, changes: dict, message: str):
    with pytest.raises(ChaosbenchError, match=message):
        load(tmp_path, SMALL, changes=changes)


def test_a_wrong_selection_names_what_the_suite_has(tmp_path: Path):
    with pytest.raises(ChaosbenchError, match="no model of this suite is called 'lstn'; did you mean 'lstm'"):
        load(tmp_path, SMALL, models=["lstn"])


def test_an_unknown_suite_names_its_neighbour():
    with pytest.raises(ChaosbenchError, match="did you mean 'quickstart'"):
        suite.load("quikstart", KINDS)
    with pytest.raises(ChaosbenchError, match=r"no suite file at 'nowhere\.toml'"):
        suite.load("nowhere.toml", KINDS)


@pytest.mark.parametrize("name", suite.shipped())
def test_every_shipped_suite_loads_and_fits_the_schema(name: str):
    experiments = suite.load(name, KINDS)
    assert experiments
    assert {experiment.suite for experiment in experiments} == {name}
    schema = suite.schema(KINDS)
    assert json.loads(json.dumps(schema)) == schema


def test_the_seed_suite_has_the_papers_settings():
    """Section 4.2 of the paper and its published code: three networks of 30 units, Adam at 1e-3, batch 32."""
    experiments = suite.load("seed-lorenz", KINDS)
    forced = [e for e in experiments if e.trainer.kind == "sparse_teacher_forcing"]
    assert {e.model.kind for e in experiments} == {"rnn", "plrnn", "lstm"}
    assert {e.trainer.interval for e in forced} == {5, 30, 50, 70, 100, 200}
    assert all((e.system.rho, e.system.dt, e.model.hidden) == (38.0, 0.01, 30) for e in experiments)
    assert all((e.trainer.batch, e.trainer.learning_rate, e.trainer.clip_norm) == (32, 1e-3, None) for e in forced)
    assert all(len(e.seeds) == 5 and e.data.train_orbits == 1 for e in experiments)


def test_a_field_of_another_trainer_is_named_with_that_trainer(tmp_path: Path):
    """`bptt` once had a field `truncation`; that method is a trainer of its own."""
    with pytest.raises(ChaosbenchError, match=r"trainers\.1\.bptt\.truncation: .*field of .*truncated_bptt"):
        load(tmp_path, SMALL.replace('kind = "bptt"', 'kind = "bptt"\ntruncation = 5'))


@pytest.mark.parametrize("kind", ["plrnn", "almost_linear_rnn", "dendritic_plrnn"])
def test_units_that_cannot_show_the_observables_are_refused_before_anything_runs(tmp_path: Path, kind: str):
    text = SMALL.replace('"lstm"\nhidden = [10, 20, 30]', f'"{kind}"\nhidden = 2')
    with pytest.raises(ChaosbenchError, match=r"cannot work: a state of 2 units cannot show 3 observables"):
        load(tmp_path, text)
    assert load(tmp_path, f"{text}\n[data]\nobserved = [0, 2]\n", models=[kind])
    assert load(tmp_path, text, models=["rnn"])


def test_states_that_cannot_show_the_observables_are_refused_unless_they_follow_from_them(tmp_path: Path):
    shallow = SMALL.replace('"lstm"\nhidden = [10, 20, 30]', '"shallow_plrnn"')
    assert load(tmp_path, shallow, models=["shallow_plrnn"])
    with pytest.raises(ChaosbenchError, match=r"a state of 2 units cannot show 3 observables"):
        load(tmp_path, shallow.replace('"shallow_plrnn"', '"shallow_plrnn"\nstates = 2'))
