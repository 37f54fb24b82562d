"""Attention that never holds all of its weights."""

from __future__ import annotations

from typing import Any

import torch
from torch.autograd.function import FunctionCtx


class Attention(torch.autograd.Function):
    """``softmax(left @ right.T + bias) @ values``, a few rows at a time, which stay in the cache; nothing is stored.

    Differentiable in ``right`` (V, C) only; ``left`` (P, C), ``bias`` (V,) and ``values`` (V, D) are constants.
    """

    ROWS = 128

    @staticmethod
    def forward(
        ctx: FunctionCtx, left: torch.Tensor, right: torch.Tensor, bias: torch.Tensor, values: torch.Tensor
    ) -> torch.Tensor:
        out = left.new_empty(len(left), values.shape[1])
        highest = left.new_empty(len(left), 1)
        total = left.new_empty(len(left), 1)
        columns = right.T
        for rows in _chunks(len(left)):
            logits = torch.addmm(bias, left[rows], columns)
            highest[rows] = logits.amax(1, keepdim=True)
            odds = logits.sub_(highest[rows]).exp_()
            total[rows] = odds.sum(1, keepdim=True)
            out[rows] = (odds @ values) / total[rows]
        ctx.save_for_backward(left, right, bias, values, out, highest, total)
        return out

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[None, torch.Tensor, None, None]:
        left, right, bias, values, out, highest, total = ctx.saved_tensors
        along = (gradient * out).sum(1, keepdim=True)
        result = torch.zeros_like(right)
        columns, row_values = right.T, values.T
        for rows in _chunks(len(left)):
            posterior = torch.addmm(bias, left[rows], columns).sub_(highest[rows]).exp_().div_(total[rows])
            posterior.mul_(torch.addmm(-along[rows], gradient[rows], row_values))
            result.addmm_(posterior.T, left[rows])
        return None, result, None, None


def _chunks(count: int) -> list[slice]:
    return [slice(n, n + Attention.ROWS) for n in range(0, count, Attention.ROWS)]
