"""Confidence intervals of means over tensors with missing entries."""

from torch import Tensor

from chaosbench.intervals import student_quantile


def nan_half_width(values: Tensor, *, dim: int) -> Tensor:
    """Return the half width of the 95 % confidence interval of `values.nanmean(dim)` (Student's t).

    Args:
        values: independent values along `dim`; NaN marks a missing value.

    Returns:
        The shape of `values` without `dim`, in its units; NaN where fewer than two values are present.
    """
    count = (~values.isnan()).sum(dim)
    squares = (values - values.nanmean(dim, keepdim=True)).square().nansum(dim)
    quantiles = values.new_tensor([student_quantile(n - 1) for n in count.flatten().tolist()]).view(count.shape)
    return quantiles * (squares / (count - 1).clamp(min=1) / count.clamp(min=1)).sqrt()
