"""Claims whose experiment needs something that this version does not have: said, not faked."""

from typing import Final

from tokenergy.thesis.inputs import ThesisInputs
from tokenergy.thesis.result import Label, Result, Told, hash_of


def own_energy(inputs: ThesisInputs, told: Told | None = None) -> Result:
    """T6: a mix of own and bought power against the best single contract."""
    del inputs, told
    return _not_yet(
        id="T6",
        claim="own cheap energy is worth contracting as a mix",
        label="sensitivity",
        threshold="cost of the mix <= best single contract, and lower CVaR95 or lower cost",
        needs="`plan`, which chooses what to build and to sign over many price years",
    )


UNIT: Final = ""
"""There is no number, so that it has no unit."""


def _not_yet(*, id: str, claim: str, label: Label, threshold: str, needs: str) -> Result:
    return Result(
        id=id,
        claim=claim,
        label=label,
        number=None,
        unit=UNIT,
        threshold=threshold,
        verdict="NOT_APPLICABLE",
        says=f"Not run: it needs {needs}, which this version does not have.",
        inputs_hash=hash_of({}),
        figures={"needs": needs},
    )
