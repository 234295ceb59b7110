"""Tangents that are decomposed several times within one step of a map, because they separate too far in a whole one."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from chaosbench.kernels import orthonormal_columns
from chaosbench.systems.flow import Flow
from chaosbench.systems.flow_steps import carried

_LEAST, _MOST = 0.1, 1 / 3  # of the digits, by which tangents separate between two decompositions
_LONGEST = 64  # [steps of the flow] between two decompositions


class GrowthOfTangents:
    """The growth of tangent vectors along the way of each orbit, from decompositions between steps of its flow.

    Args:
        tangents: at the begin, `(n, S, M)`.
        field: maps states `(n, S)` to a direction that is projected out of the tangents, `(n, S)`, because only the
            motion across it counts; None: nothing is.
    """

    def __init__(self, tangents: Tensor, field: Callable[[Tensor], Tensor] | None = None) -> None:
        self.logarithms = tangents.new_zeros(len(tangents), tangents.shape[-1], dtype=torch.float64)  # (n, M) [nats]
        self._field = field

    def decompose(self, tangents: Tensor) -> Tensor:
        """Return orthonormal tangents that span the same space, and add up what they grew by."""
        orthonormal, lengths = orthonormal_columns(tangents)
        self._add(lengths)
        return orthonormal

    def _add(self, lengths: Tensor) -> None:
        self.logarithms = self.logarithms + lengths.double().log()

    def carried(self, flow: Flow, joined: Tensor, counts: Tensor) -> Tensor:
        """Return states and tangents after numbers of steps, as `flow_steps.carried` does, decomposed on the way.

        The derivative of the step maps the field to the field one step later, so that the direction along the flow may
        be projected out at any time; otherwise every tangent would turn into it where all others contract.

        Args:
            flow: the flow.
            joined: states (column 0) and tangents, `(n, S, 1 + M)`.
            counts: `(n)` [steps]; orbits with a negative number stay where they are.
        """
        joined = self._projected(joined)
        digits = -math.log(torch.finfo(joined.dtype).eps)  # [nats]
        done, few, last = 0, 1, int(counts.max()) if len(counts) else 0
        while done < last:
            further = self._projected(carried(flow, joined, (counts - done).clamp(0, few)))
            orthonormal, lengths = orthonormal_columns(further[..., 1:])
            spread = _spread(lengths)
            if spread > _MOST * digits and few > 1:
                few = max(1, few // 4)
                continue
            joined = torch.cat([further[..., :1], orthonormal], dim=-1)
            self._add(lengths)
            done += few
            few = min(_LONGEST, 2 * few) if spread < _LEAST * digits else few
        return joined

    def _projected(self, joined: Tensor) -> Tensor:
        if self._field is None:
            return joined
        along = self._field(joined[..., 0])[..., None]
        tangents = joined[..., 1:]
        share = (along * tangents).sum(-2, keepdim=True) / along.square().sum(-2, keepdim=True)
        return torch.cat([joined[..., :1], tangents - along * share], dim=-1)


def _spread(lengths: Tensor) -> float:
    """Return the logarithm of the largest ratio between an orbit's lengths, `(n, M)`, over all orbits [nats]."""
    logarithms = lengths.double().log()
    spread = logarithms.amax(-1) - logarithms.amin(-1)
    spread = spread.nan_to_num(0.0, posinf=0.0)  # of lost orbits, and of tangents that vanished
    return float(spread.amax()) if len(spread) else 0.0
