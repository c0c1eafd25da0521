"""How much of an update's gradient is signal and how much is chance, from the passes that it was made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class GradientParts(NamedTuple):
    """``signal``: an estimate of |g|², the squared norm of the true gradient; ``noise``: of tr(S), where S is the covariance
    of one example's gradient around it. A batch of noise / signal examples is half chance (McCandlish et al. 2018,
    arXiv:1812.06162, section 2.2, there the simple noise scale)."""

    signal: float
    noise: float


def gradient_parts(squares: Sequence[float], tokens: Sequence[int], whole: float, examples: int) -> GradientParts | None:
    """Both from one update; None if it was a single pass.

    ``squares[j]`` is |c_j|², of what pass j, with ``tokens[j]`` trained tokens, adds to the update's gradient G = Σ c_j;
    ``whole`` is |G|², and ``examples`` are how many the update learned from.

    McCandlish et al. (appendix A.1) compare batches of two sizes. Passes have many sizes, so all of them are compared with
    the whole, as an analysis of variance does. Let T = Σ t_j be the update's tokens. The mean gradient of a token in pass j
    is m_j = c_j·T / t_j, and G = Σ m_j·t_j / T. With g what all of them estimate and v the variance of one token's share,

        E|m_j|² = |g|² + v / t_j        E|G|² = |g|² + v / T

    of examples that are independent, have means that grow with their length, and variances that do too (tokens within an
    example need not be independent if examples are equally long or shared out at random). For k passes therefore

        E[Σ t_j·|m_j - G|²] = E[Σ t_j·|m_j|² - T·|G|²] = (T·|g|² + k·v) - (T·|g|² + v) = (k - 1)·v

    whatever the t_j are. As t_j·|m_j|² = T²·|c_j|² / t_j, no gradient has to be kept, only norms:

        v = (T²·Σ |c_j|² / t_j - T·|G|²) / (k - 1)
        tr(S) = v·N / T, as |G|² has the noise v / T = tr(S) / N for N examples
        |g|² = |G|² - tr(S) / N

    Both are unbiased, so that of a single update either may be negative: average each over updates before dividing.
    """
    if len(squares) < 2:
        return None
    total = sum(tokens)
    spread = total * sum(square / own for square, own in zip(squares, tokens, strict=True)) - whole
    variance_of_mean = spread / (len(squares) - 1)  # v / T
    return GradientParts(signal=whole - variance_of_mean, noise=variance_of_mean * examples)
