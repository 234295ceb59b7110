import pytest
from stored_runs import BLOWN, CHAOS, CYCLE, FREE, TORUS, StoredSeed, publish

from chaosbench.data import DataSpec
from chaosbench.errors import ChaosbenchError, UnknownNameError
from chaosbench.models import LSTM, PLRNN, RNN
from chaosbench.terminal.explanation import rows, show
from chaosbench.trainers import BPTT, SparseTeacherForcing


@pytest.fixture
def results(tmp_path):
    """Store four experiments: bptt on an RNN and on LSTMs of two sizes, sparse teacher forcing on a PLRNN."""
    publish(tmp_path, StoredSeed(CHAOS | FREE | {"clipped_share": 0.63}), StoredSeed(CYCLE))
    publish(tmp_path, StoredSeed(TORUS), model=LSTM(hidden=7))
    publish(tmp_path, StoredSeed(BLOWN, divergence=None, status="diverged"), model=RNN())
    publish(tmp_path, StoredSeed(CHAOS), model=PLRNN(), trainer=SparseTeacherForcing(interval=5))
    return tmp_path


@pytest.fixture
def shown(monkeypatch, capsys):
    """Return a function that shows results on a terminal of a given width and returns the output."""

    def output(results, name="", seed=None, *, columns=80):
        monkeypatch.setenv("COLUMNS", str(columns))
        show(results, name, seed)
        return capsys.readouterr().out

    return output


def selected(results, name, seed=None):
    return [(row["model"], row["trainer"]) for row in rows(results, name, seed)]


def test_without_a_name_every_seed_has_a_line(results, shown):
    lines = shown(results, columns=200).splitlines()
    headings = [line for line in lines if not line.startswith(" ")]
    assert headings[:-1] == [
        "bptt on lstm, lorenz63",
        "bptt on lstm(hidden=7), lorenz63",
        "sparse_teacher_forcing on plrnn, lorenz63",
        "bptt on rnn, lorenz63",
    ]
    assert "chaosbench explain RESULTS RUN" in headings[-1]
    seeds = [line.strip() for line in lines if line.startswith("  seed")]
    assert [line[:12] for line in seeds] == [
        "seed 0: ok; ",
        "seed 1: ok; ",
        "seed 0: ok; ",
        "seed 0: ok; ",
        "seed 0: dive",
    ]
    assert all(word in seeds[0] for word in ("chaotic", "97 %", "101 %"))
    assert "4-cycle" in seeds[1]
    assert "quasi-periodic" in seeds[2]


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
@pytest.mark.parametrize("name", ["", "sparse", "hidden=7"])
def test_lines_fit_and_numbers_keep_their_units(results, shown, columns, name):
    lines = shown(results, name, columns=columns).splitlines()
    assert max(map(len, lines)) <= min(columns, 100)
    assert not any(line.strip().startswith(("%", "±", "/")) or line.endswith(("±", "/", " ")) for line in lines)


def test_words_of_its_labels_select_an_experiment(results):
    assert selected(results, "sparse") == [("plrnn", "sparse_teacher_forcing(interval=5)")]
    assert selected(results, "BPTT rnn") == [("rnn", "bptt")]
    assert selected(results, "hidden=7 lstm") == [("lstm(hidden=7)", "bptt")]
    assert len(selected(results, "")) == 4


def test_the_name_of_a_kind_selects_no_kind_that_contains_it(results):
    assert selected(results, "rnn") == [("rnn", "bptt")], "and not plrnn"
    assert len(selected(results, "nn")) == 2


def test_the_start_of_a_folders_name_selects_it(results):
    (folder,) = results.glob("plrnn-*")
    assert selected(results, folder.name) == selected(results, folder.name[:-5]) == selected(results, "sparse")


def test_one_experiment_is_explained_in_paragraphs_with_its_pictures(results, shown):
    (folder,) = results.glob("plrnn-*")
    (folder / "growth.png").touch()
    text = shown(results, "sparse")
    lines = text.splitlines()
    assert lines[:2] == ["sparse_teacher_forcing(interval=5) on plrnn, lorenz63", "outcome"]
    assert all(word in lines[2] for word in ("1 seed", "1 ok", "Seed 0"))
    assert text.endswith(f"pictures in {folder}: growth.png\n")
    assert "other seeds" not in text
    lstm = shown(results, next(results.glob("lstm-bptt*")).name)
    assert "\nother seeds\n  seed 1: ok; on a 4-cycle;" in lstm
    assert "pictures" not in lstm


def test_one_seed_is_explained_if_its_number_is_given(results, shown):
    (name,) = (path.name for path in results.glob("lstm-bptt*"))
    assert "Seed 1: state_space_divergence" in shown(results, name, 1)
    assert [[seed["seed"] for seed in row["seeds"]] for row in rows(results, "", 1)] == [[1]]
    assert [len(row["seeds"]) for row in rows(results, "", None)] == [2, 1, 1, 1]
    assert shown(results, "", 0).count("seed 0:") == 4


def test_the_error_for_an_ambiguous_name_lists_names_that_are_unique(results):
    with pytest.raises(UnknownNameError, match=r"'lstm' matches 2 experiments") as caught:
        show(results, "lstm", None)
    assert "(bptt on lstm, lorenz63); " in str(caught.value)
    assert "(bptt on lstm(hidden=7), lorenz63)" in str(caught.value)
    candidates = [entry.partition(" (")[0] for entry in str(caught.value).partition("name: ")[2].split("; ")]
    assert [selected(results, candidate) for candidate in candidates] == [
        [("lstm", "bptt")],
        [("lstm(hidden=7)", "bptt")],
    ]


def test_a_message_lists_six_experiments(tmp_path):
    for hidden in range(1, 10):
        publish(tmp_path, StoredSeed(CHAOS), model=LSTM(hidden=hidden))
    with pytest.raises(UnknownNameError, match=r"9 experiments.*; 3 more$"):
        show(tmp_path, "lstm", None)


@pytest.mark.parametrize(
    ("name", "seed", "words"),
    [
        ("lstn", None, ["'lstn'", "did you mean 'lstm'", "bptt, lorenz63, lstm, plrnn, rnn"]),
        ("bptt lstn", None, ["'lstn'", "did you mean 'lstm'"]),
        ("sparse lstm", None, ["'sparse lstm'", "bptt on lstm, lorenz63; bptt on"]),
        ("sparse", 5, ["sparse_teacher_forcing(interval=5) on plrnn, lorenz63", "no seed 5", ": 0"]),
        ("", 5, ["no seed 5", "0, 1"]),
    ],
)
def test_the_error_for_an_unknown_name_or_seed_lists_those_that_exist(results, name, seed, words):
    for function in (show, rows):
        with pytest.raises(UnknownNameError) as caught:
            function(results, name, seed)
        assert all(word in str(caught.value) for word in words)
        assert "\n" not in str(caught.value)


def test_an_empty_directory_holds_nothing_to_explain(tmp_path):
    with pytest.raises(ChaosbenchError, match="no results"):
        show(tmp_path, "", None)


def test_trainers_that_differ_in_a_setting_have_different_titles(tmp_path, shown):
    for clip in (1.0, 2.0):
        publish(tmp_path, StoredSeed(CHAOS), trainer=BPTT(clip_norm=clip))
    lines = shown(tmp_path).splitlines()
    assert {"bptt on lstm, lorenz63", "bptt(clip_norm=2) on lstm, lorenz63"} <= {
        line.replace("2.0", "2") for line in lines
    }


def test_data_that_differ_are_in_the_titles_and_can_be_selected(tmp_path, shown):
    for noise, embedding in ((0.0, 1), (0.1, 1), (0.1, 3)):
        publish(tmp_path, StoredSeed(CHAOS), data=DataSpec(noise=noise, embedding=embedding, train_orbits=2))
    lines = shown(tmp_path, columns=200).splitlines()
    names = {
        "bptt on lstm, lorenz63",
        "bptt on lstm, lorenz63, data(noise=0.1)",
        "bptt on lstm, lorenz63, data(noise=0.1, embedding=3)",
    }
    assert {line for line in lines if line.startswith("bptt")} == names, "the setting that all share is left out"
    assert [row["data"] for row in rows(tmp_path, "embedding=3", None)] == [
        "data(train_orbits=2, noise=0.1, embedding=3)"
    ]
    assert shown(tmp_path, "embedding=3").startswith("bptt on lstm, lorenz63, data(train_orbits=2, noise=0.1")
    with pytest.raises(UnknownNameError, match=r"2 experiments.*data\(embedding=3\)"):
        show(tmp_path, "noise=0.1", None)
