import pytest
from stored_runs import BLOWN, CHAOS, CYCLE, FREE, TORUS, StoredSeed, publish

from chaosbench.data import DataSpec
from chaosbench.errors import ChaosbenchError, UnknownNameError
from chaosbench.models import LSTM, PLRNN, RNN
from chaosbench.terminal.explanation import rows, show
from chaosbench.trainers import BPTT, SparseTeacherForcing


@pytest.fixture
def results(tmp_path):
    """Four experiments: two networks of each training, and one of them in two sizes."""
    publish(tmp_path, StoredSeed(CHAOS | FREE | {"clipped_share": 0.63}), StoredSeed(CYCLE))
    publish(tmp_path, StoredSeed(TORUS), model=LSTM(hidden=7))
    publish(tmp_path, StoredSeed(BLOWN, divergence=None, status="diverged"), model=RNN())
    publish(tmp_path, StoredSeed(CHAOS), model=PLRNN(), trainer=SparseTeacherForcing(interval=5))
    return tmp_path


@pytest.fixture
def shown(monkeypatch, capsys):
    """What a person sees on so many columns."""

    def see(results, name="", seed=None, *, columns=80):
        monkeypatch.setenv("COLUMNS", str(columns))
        show(results, name, seed)
        return capsys.readouterr().out

    return see


def meant(results, name, seed=None):
    return [(row["model"], row["trainer"]) for row in rows(results, name, seed)]


def test_without_a_name_every_seed_is_told_in_a_line(results, shown):
    assert shown(results, columns=200) == (
        "bptt on lstm, lorenz63\n"
        "  seed 0: ok; chaotic; lambda_1 97 % of the data's; gradients grow at 101 % of lambda_1; clipped in\n"
        "    63 % of updates\n"
        "  seed 1: ok; on a 4-cycle; a model that learned a cycle of 4 steps in place of chaos\n"
        "bptt on lstm(hidden=7), lorenz63\n"
        "  seed 0: ok; quasi-periodic; a model that learned a closed curve or a torus in place of chaos\n"
        "sparse_teacher_forcing on plrnn, lorenz63\n"
        "  seed 0: ok; chaotic; lambda_1 97 % of the data's; gradients grow at 101 % of lambda_1\n"
        "bptt on rnn, lorenz63\n"
        "  seed 0: diverged; clipped in 63 % of updates; numbers that blow up in free running: too large a\n"
        "    learning rate, or a map that nothing keeps bounded\n"
        "at length: chaosbench explain RESULTS RUN, where RUN is words of these names\n"
    )


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
@pytest.mark.parametrize("name", ["", "sparse", "hidden=7"])
def test_lines_fit_and_numbers_keep_their_units(results, shown, columns, name):
    lines = shown(results, name, columns=columns).splitlines()
    assert max(map(len, lines)) <= min(columns, 100)
    assert not any(line.strip().startswith(("%", "±", "/")) or line.endswith(("±", "/", " ")) for line in lines)


def test_words_of_the_labels_name_an_experiment(results):
    assert meant(results, "sparse") == [("plrnn", "sparse_teacher_forcing(interval=5)")]
    assert meant(results, "BPTT rnn") == [("rnn", "bptt")]
    assert meant(results, "hidden=7 lstm") == [("lstm(hidden=7)", "bptt")]
    assert len(meant(results, "")) == 4


def test_a_word_that_is_a_kinds_whole_name_means_no_other_kind(results):
    assert meant(results, "rnn") == [("rnn", "bptt")], "and not plrnn"
    assert len(meant(results, "nn")) == 2


def test_the_beginning_of_a_folder_names_it(results):
    (folder,) = results.glob("plrnn-*")
    assert meant(results, folder.name) == meant(results, folder.name[:-5]) == meant(results, "sparse")


def test_one_experiment_is_told_at_length_with_its_pictures(results, shown):
    (folder,) = results.glob("plrnn-*")
    (folder / "growth.png").touch()
    text = shown(results, "sparse")
    assert text.startswith("sparse_teacher_forcing(interval=5) on plrnn, lorenz63\noutcome\n  1 ok of 1 seed. Seed 0:")
    assert text.endswith(f"pictures in {folder}: growth.png\n")
    assert "other seeds" not in text
    lstm = shown(results, next(results.glob("lstm-bptt*")).name)
    assert "\nother seeds\n  seed 1: ok; on a 4-cycle;" in lstm
    assert "pictures" not in lstm


def test_the_seed_that_is_asked_for_is_told_and_no_other(results, shown):
    (name,) = (path.name for path in results.glob("lstm-bptt*"))
    assert "Seed 1: state_space_divergence" in shown(results, name, 1)
    assert [[seed["seed"] for seed in row["seeds"]] for row in rows(results, "", 1)] == [[1]]
    assert [len(row["seeds"]) for row in rows(results, "", None)] == [2, 1, 1, 1]
    assert shown(results, "", 0).count("seed 0:") == 4


def test_a_name_of_several_names_them_and_each_name_given_means_one(results):
    with pytest.raises(UnknownNameError, match=r"'lstm' may mean 2 experiments; add a word") as told:
        show(results, "lstm", None)
    assert "(bptt on lstm, lorenz63); " in str(told.value)
    assert "(bptt on lstm(hidden=7), lorenz63)" in str(told.value)
    candidates = [one.partition(" (")[0] for one in str(told.value).partition("name: ")[2].split("; ")]
    assert [meant(results, one) for one in candidates] == [[("lstm", "bptt")], [("lstm(hidden=7)", "bptt")]]


def test_of_many_only_some_are_named(tmp_path):
    for hidden in range(1, 10):
        publish(tmp_path, StoredSeed(CHAOS), model=LSTM(hidden=hidden))
    with pytest.raises(UnknownNameError, match=r"may mean 9 experiments.*; 3 more$"):
        show(tmp_path, "lstm", None)


@pytest.mark.parametrize(
    ("name", "seed", "text"),
    [
        ("lstn", None, "no experiment is called 'lstn'; did you mean 'lstm'? Known: bptt, lorenz63, lstm, plrnn, rnn"),
        ("bptt lstn", None, "no experiment is called 'lstn'; did you mean 'lstm'?"),
        ("sparse lstm", None, "no experiment has all words of 'sparse lstm'. Known: bptt on lstm, lorenz63; bptt on"),
        ("sparse", 5, "there is no seed 5 of sparse_teacher_forcing(interval=5) on plrnn, lorenz63; known: 0"),
        ("", 5, "; known: 0, 1"),
    ],
)
def test_a_name_or_seed_that_is_not_there_is_answered_by_those_that_are(results, name, seed, text):
    for ask in (show, rows):
        with pytest.raises(UnknownNameError) as told:
            ask(results, name, seed)
        assert text in str(told.value)
        assert "\n" not in str(told.value)


def test_an_empty_directory_holds_nothing_to_explain(tmp_path):
    with pytest.raises(ChaosbenchError, match="there are no results in"):
        show(tmp_path, "", None)


def test_trainers_that_differ_in_a_setting_are_told_apart(tmp_path, shown):
    for clip in (1.0, 2.0):
        publish(tmp_path, StoredSeed(CHAOS), trainer=BPTT(clip_norm=clip))
    lines = shown(tmp_path).splitlines()
    assert {"bptt on lstm, lorenz63", "bptt(clip_norm=2) on lstm, lorenz63"} <= {
        line.replace("2.0", "2") for line in lines
    }


def test_data_that_differ_tell_experiments_apart_and_can_be_named(tmp_path, shown):
    for noise, embedding in ((0.0, 1), (0.1, 1), (0.1, 3)):
        publish(tmp_path, StoredSeed(CHAOS), data=DataSpec(noise=noise, embedding=embedding, train_orbits=2))
    lines = shown(tmp_path, columns=200).splitlines()
    names = {
        "bptt on lstm, lorenz63",
        "bptt on lstm, lorenz63, data(noise=0.1)",
        "bptt on lstm, lorenz63, data(noise=0.1, embedding=3)",
    }
    assert {line for line in lines if line.startswith("bptt")} == names, "without what all share"
    assert [row["data"] for row in rows(tmp_path, "embedding=3", None)] == [
        "data(train_orbits=2, noise=0.1, embedding=3)"
    ]
    assert shown(tmp_path, "embedding=3").startswith("bptt on lstm, lorenz63, data(train_orbits=2, noise=0.1")
    with pytest.raises(UnknownNameError, match=r"may mean 2 experiments.*data\(embedding=3\)"):
        show(tmp_path, "noise=0.1", None)
