"""What the methods of Table 2 are called for readers, and whose the conversions are."""

from __future__ import annotations

METHOD_TITLES = {
    "ours": "ours",
    "direct": "direct",
    "tuned": "ours, fine-tuned",
    "conversion": "ReLU to IF",
    "qcfs": "QCFS to IF",
}
# By the variant, or by how V(0) ends it.
CITED = {
    "max-norm, V(0) = 0": "Diehl et al. 2015",
    "99.9 %, V(0) = 0": "Rueckauer et al. 2017",
    "V(0) = 1/2": "Deng & Gu 2021",
}


def cited(method: str, variant: str) -> str:
    """A variant of a method with whose it is, where it is somebody's."""
    if method == "qcfs":
        return f"{variant} (Bu et al. 2022)"
    whose = CITED.get(variant) or CITED.get(variant.split(", ")[-1]) if method == "conversion" else None
    return f"{variant} ({whose})" if whose else variant


def conversion_title(method: str, variant: str) -> str:
    """A conversion, with whose it is."""
    return f"{METHOD_TITLES[method]}, {cited(method, variant)}"
