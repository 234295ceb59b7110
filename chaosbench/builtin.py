"""chaosbench's own plug-in: it enters by the same doors as a stranger's."""

from collections.abc import Iterable

from chaosbench import diagnostics, metrics, models, series, systems, trainers
from chaosbench.hookspecs import hookimpl


@hookimpl
def chaosbench_systems() -> Iterable[type[systems.SystemSpec]]:
    """The shipped systems."""
    return [
        systems.Lorenz63,
        systems.Rossler,
        systems.Lorenz96,
        systems.Duffing,
        systems.MackeyGlass,
        systems.KuramotoSivashinsky,
        systems.Lorenz84,
        systems.Chen,
        systems.Halvorsen,
        systems.Thomas,
        systems.HyperRossler,
        systems.Henon,
        systems.Logistic,
        systems.Ikeda,
        systems.Lozi,
        systems.Tent,
        systems.Torus,
        systems.LimitCycle,
        systems.TwoCycle,
        series.TimeSeries,
    ]


@hookimpl
def chaosbench_models() -> Iterable[type[models.ModelSpec]]:
    """The shipped models."""
    return [
        models.RNN,
        models.GRU,
        models.LSTM,
        models.PLRNN,
        models.DendriticPLRNN,
        models.ShallowPLRNN,
        models.AlmostLinearRNN,
        models.NeuralODE,
        models.CoRNN,
        models.UnICORNN,
        models.LinOSS,
        models.OrthogonalRNN,
        models.LEM,
        models.LiquidTimeConstant,
        models.EchoStateNetwork,
        models.SampledRNN,
        models.ContextParroting,
        models.Climatology,
        models.Persistence,
    ]


@hookimpl
def chaosbench_trainers() -> Iterable[type[trainers.TrainerSpec]]:
    """The shipped trainers."""
    return [
        trainers.BPTT,
        trainers.TruncatedBPTT,
        trainers.WindowedBPTT,
        trainers.SparseTeacherForcing,
        trainers.GeneralizedTeacherForcing,
        trainers.ScheduledSampling,
        trainers.MultipleShooting,
        trainers.HorizonCurriculum,
        trainers.GradientFlossing,
        trainers.DySLIM,
        trainers.InvariantMeasure,
        trainers.JacobianMatching,
        trainers.SOFO,
        trainers.Ridge,
        trainers.Memorise,
    ]


@hookimpl
def chaosbench_diagnostics() -> Iterable[type[diagnostics.DiagnosticSpec]]:
    """The shipped diagnostics."""
    return [diagnostics.Loss, diagnostics.GradientNorm, diagnostics.GradientGrowth, diagnostics.LargestExponent]


@hookimpl
def chaosbench_metrics() -> Iterable[type[metrics.MetricSpec]]:
    """The shipped metrics."""
    return [
        metrics.StateSpaceDivergence,
        metrics.PowerSpectrumDistance,
        metrics.ValidPredictionTime,
        metrics.Skill,
        metrics.PredictionError,
        metrics.LargestExponentError,
        metrics.MixtureDivergence,
        metrics.SlicedWassersteinDistance,
        metrics.KernelDiscrepancy,
        metrics.HausdorffDistance,
        metrics.PowerSpectrumCorrelation,
        metrics.NormalisedError,
        metrics.SymmetricPercentageError,
        metrics.ScaledError,
        metrics.LyapunovSpectrumError,
        metrics.KaplanYorkeError,
        metrics.CorrelationDimensionError,
    ]
