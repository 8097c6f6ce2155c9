"""Quantities of Kubernetes, such as ``500m`` cores or ``2Gi`` bytes, as numbers."""

import re
from collections.abc import Mapping
from decimal import Decimal

# An e is an exponent only with digits behind it: 1E is an exa, 1E3 a thousand.
_FORM = re.compile(r"((?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)(n|u|m|[kMGTPE]|[KMGTPE]i)?")
_FACTORS: Mapping[str | None, Decimal] = {
    None: Decimal(1),
    **{unit: Decimal(1000) ** -power for power, unit in enumerate("mun", 1)},
    **{unit: Decimal(1000) ** power for power, unit in enumerate("kMGTPE", 1)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", 1)},
}
"""Factors of the units that a number may have after it."""
GIB = Decimal(2**30)


def quantity(text: str | float) -> Decimal:
    """Read a quantity as a number of cores, bytes or GPUs.

    Raises:
        ValueError: it is no quantity.
    """
    found = _FORM.fullmatch(str(text))
    if found is None:
        raise ValueError("must be a quantity, such as 500m or 2Gi")
    return Decimal(found[1]) * _FACTORS[found[2]]
