r"""The equations that a docstring names, as the paper prints them, below it in the reference.

In the source a formula is plain text, to be read where it is edited; here it is drawn. What is beyond the paper has
no number, so its formulas go by the name of what implements them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

# Jiang & Zhang 2023, arXiv:2211.05453, Sec. 2.
PAPER = {
    1: r"H(t) = \lambda \cdot V(t-1) + \sum_i w_i \cdot S_i(t)",
    2: r"S(t) = \begin{cases} 1, & H(t) > V_{th} \\ 0, & H(t) \leq V_{th} \end{cases}",
    3: r"V(t) = H(t)\,(1 - S(t)) + V_{reset} \cdot S(t)",
    4: r"H = \sum_i w_i \cdot S_i",
    5: r"H = N_{noise} + \sum_i w_i \cdot S_i",
    6: r"N_{noise} = N(\lambda \cdot V(t-1)) + N'_{noise}",
    7: r"A = \lambda \cdot V(t-1)",
    8: r"\hat{A} = \frac{A - \mu}{\sigma}",
    9: r"N(\lambda \cdot V(t-1)) = \frac{\hat{A}}{\alpha \cdot \max(|\hat{A}|)} + \beta",
}
BEYOND = {
    "snnlib.exact_memory.ExactMemory": r"p(t) = 1 - F(V_{th} - I(t)), \quad S(t) = [U(t-1) + p(t) \geq 1], \quad "
    r"U(t) = U(t-1) + p(t) - S(t)",
    "snnlib.rate.Rate": r"\frac{\lfloor U + L\,\mathrm{clip}(I, 0, 1) \rfloor}{L}",
    "snnlib.baselines.ann_neurons.QCFS": r"\theta\,\mathrm{clip}\left(\frac{1}{L}\left\lfloor \frac{x L}{\theta} + "
    r"\frac{1}{2} \right\rfloor, 0, 1\right)",
    "snnlib.baselines.ann_neurons.IF": r"H(t) = V(t-1) + I(t), \quad S(t) = [H(t) > V_{th}], \quad "
    r"V(t) = H(t) - V_{th}\,S(t)",
}
NAMED = re.compile(r"Eqs?\.\s+(\d(?:(?:-|, | and )\d)*)(?!\d)")
OF_OTHERS = re.compile(r"\d{4}[^.]*,\s+Eqs?\.\s+\d+")  # (Bu et al. 2022, ICLR, Eq. 15)


def named(text: str) -> list[int]:
    """The numbers of the paper's equations that a text names, ascending."""
    found: set[int] = set()
    for several in NAMED.findall(OF_OTHERS.sub("", text)):
        for part in re.split(r", | and ", several):
            first, _, last = part.partition("-")
            found.update(range(int(first), int(last or first) + 1))
    return sorted(found & PAPER.keys())


def below(name: str, lines: list[str]) -> Iterator[str]:
    """What comes below a docstring of these lines, in reStructuredText."""
    blocks = [(f"Eq. {n}", PAPER[n]) for n in named("\n".join(lines))]
    blocks += [("beyond the paper", BEYOND[name])] if name in BEYOND else []
    for where, equation in blocks:
        yield from ("", ".. math::", "", rf"   {equation} \qquad \text{{({where})}}", "")


def append(app: Any, what: str, name: str, thing: object, options: Any, lines: list[str]) -> None:
    if what in ("class", "function", "method", "property"):
        lines.extend([*below(name, lines)])


def setup(app: Any) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", append, priority=900)  # after napoleon
    return {"parallel_read_safe": True, "parallel_write_safe": True}
