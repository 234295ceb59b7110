"""Every engine leaves the same rows; what a cluster loses becomes a row with a cause."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from misbehaving import Misbehaving
from small import experiment

from chaosbench.diagnostics import COSTS
from chaosbench.errors import ChaosbenchError
from chaosbench.execution import Advanced, Finished, Limits, alone, carry_on, cluster, ray_engine, slurm_engine
from chaosbench.execution.jobs import Job
from chaosbench.execution.local import Site
from chaosbench.execution.ray_engine import RayCluster
from chaosbench.execution.slurm_engine import SlurmJobs
from chaosbench.experiment import Result
from chaosbench.models import PLRNN
from chaosbench.plugin_choice import Choice

MIXED = [experiment(), experiment(PLRNN(hidden=5)), experiment(Misbehaving(fault="exit"))]


def site(folder: Path, **limits) -> Site:
    return Site("cpu", folder / "logs", folder / "checkpoints", 180.0, Choice(), Limits(**limits))


def numbers(results: list[Result]) -> dict[object, object]:
    """Return everything but costs, times and paths."""
    rows = {(run.model, run.seed): run.status for result in results for run in result.runs}
    records = {
        (result.experiment.model.label, record.seed, record.name, record.update): record.value
        for result in results
        for record in result.records
        if record.name.removeprefix("diagnosis.") not in COSTS
    }
    return rows | records


def carried_out(folder: Path, engine: Callable | None) -> list[Result]:
    events = carry_on(alone(MIXED), folder, device="cpu", workers=2, cluster=engine)
    return [event.result for event in events if isinstance(event, Finished)]


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> dict[object, object]:
    return numbers(carried_out(tmp_path_factory.mktemp("local"), None))


class FakeRay:
    """Stands for ray: every task runs at once in this process, or is lost with its node."""

    def __init__(self, lost: Exception | None = None) -> None:
        self.exceptions = SimpleNamespace(RayError=LostError, OutOfMemoryError=FullError)
        self.lost, self.values, self.closed = lost, {}, False

    def init(self, **options) -> None:
        if options["address"] == "nowhere":
            raise ConnectionError("nobody answers")

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 3.0, "GPU": 2.0}

    def remote(self, **options):
        def wrap(target):
            if isinstance(target, type):
                made = target()
                methods = {name: self._called(getattr(made, name)) for name in ("put", "take")}
                return SimpleNamespace(remote=lambda: SimpleNamespace(**methods))
            return self._called(target, task=True)

        return wrap

    def _called(self, function, task: bool = False):
        def remote(*arguments):
            reference = object()
            self.values[reference] = self.lost if task and self.lost else function(*arguments)
            return reference

        return SimpleNamespace(remote=remote)

    def wait(self, references, num_returns: int, timeout: float):
        return references[:num_returns], references[num_returns:]

    def get(self, reference, timeout: float | None = None):
        value = self.values.pop(reference)
        if isinstance(value, Exception):
            raise value
        return value

    def cancel(self, reference, force: bool) -> None:
        self.values.pop(reference, None)

    def shutdown(self) -> None:
        self.closed = True


class LostError(Exception):
    pass


class FullError(LostError):
    pass


def test_a_job_leaves_what_a_worker_of_this_machine_leaves(tmp_path: Path, local):
    ended = [event for one in MIXED for event in Job.of((one,), site(tmp_path)).run()]
    assert numbers([event.result for event in ended]) == local


def test_the_same_rows_come_from_ray(tmp_path: Path, local, monkeypatch: pytest.MonkeyPatch):
    fake = FakeRay()
    monkeypatch.setattr(ray_engine, "_ray", lambda: fake)
    assert numbers(carried_out(tmp_path, RayCluster)) == local
    assert fake.closed


@pytest.mark.parametrize(
    ("error", "status"), [(LostError("the node died"), "crashed"), (FullError("no memory"), "oom")]
)
def test_a_job_that_a_cluster_loses_becomes_a_row_with_its_cause(error, status, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(ray_engine, "_ray", lambda: FakeRay(error))
    results = carried_out(tmp_path, RayCluster)
    assert len(results) == len(MIXED)
    assert {run.status for result in results for run in result.runs} == {status}
    assert all(str(error) in run.message for result in results for run in result.runs)


def test_as_many_jobs_run_as_the_cluster_has_room_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ray_engine, "_ray", FakeRay)
    gpu = Site("cuda", tmp_path, tmp_path, 180.0, Choice(), Limits())
    assert RayCluster(site(tmp_path)).free == 3
    assert RayCluster(gpu, per_gpu=4).free == 8
    assert RayCluster(site(tmp_path), jobs=2).free == 2


def test_a_missing_cluster_or_package_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ray_engine, "_ray", FakeRay)
    with pytest.raises(ChaosbenchError, match="nowhere"):
        RayCluster(site(tmp_path), address="nowhere")
    with pytest.raises(ChaosbenchError, match="rey"):
        cluster("rey", tmp_path)
    with pytest.raises(ChaosbenchError, match="--engine ray"):
        cluster("local", tmp_path, address="here")
    assert cluster("local", tmp_path) is None


def test_slurm_asks_for_a_time_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(slurm_engine, "_submitit", object)
    with pytest.raises(ChaosbenchError, match="--timeout"):
        SlurmJobs(site(tmp_path), tmp_path)


@pytest.mark.slow
def test_the_same_rows_come_from_jobs_of_submitit(tmp_path: Path, local):
    """Its local executor runs each job as Slurm would, in a process that reads the job from a file."""
    pytest.importorskip("submitit")
    events = carry_on(
        alone(MIXED), tmp_path, device="cpu", workers=2, limits=Limits(timeout=300.0),
        cluster=lambda site: SlurmJobs(site, tmp_path / ".slurm", cluster="local"),
    )  # fmt: skip
    assert numbers([event.result for event in events if isinstance(event, Finished)]) == local


@pytest.fixture
def two_nodes():
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    other = nodes.add_node(num_cpus=1)
    yield nodes, other
    nodes.shutdown()


@pytest.mark.slow
def test_the_same_rows_come_from_a_ray_cluster(tmp_path: Path, local, two_nodes):
    nodes, _ = two_nodes
    assert numbers(carried_out(tmp_path, lambda site: RayCluster(site, address=nodes.address))) == local


@pytest.mark.slow
def test_a_job_whose_node_is_lost_runs_again_on_another(tmp_path: Path, two_nodes):
    nodes, other = two_nodes
    longer = [experiment(trainer=experiment().trainer.replaced(updates=20_000), seeds=(seed,)) for seed in range(2)]
    events, killed = [], False
    for event in carry_on(
        alone(longer), tmp_path, device="cpu", workers=2, cluster=lambda site: RayCluster(site, address=nodes.address)
    ):
        events.append(event)
        if not killed and isinstance(event, Advanced) and event.progress.phase == "training":
            nodes.remove_node(other, allow_graceful=False)
            killed = True
    assert killed
    results = [event.result for event in events if isinstance(event, Finished)]
    assert sorted(result.experiment.seeds for result in results) == [(0,), (1,)]
    assert {run.status for result in results for run in result.runs} == {"ok"}
