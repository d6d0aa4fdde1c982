"""What was metered in a run, as terms are charged on it: MWh by site and interval."""

from collections.abc import Mapping
from dataclasses import dataclass

from tokenergy.company.contract_state import ContractState
from tokenergy.dispatch.world import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Metered:
    """The meters of a horizon; T counts from its first interval.

    Attributes:
        import_mwh, export_mwh, load_mwh: at each site's meter [S, T]; load includes cooling.
        bought_mwh, sold_mwh: the commercial residual of each site [S, T].
        take_mwh: of each as-produced contract [C, T].
        generate_mwh: of each generator on site [U, T].
        before: what each contract's past left when the horizon began.
    """

    import_mwh: FloatArray
    export_mwh: FloatArray
    load_mwh: FloatArray
    bought_mwh: FloatArray
    sold_mwh: FloatArray
    take_mwh: FloatArray
    generate_mwh: FloatArray
    before: Mapping[str, ContractState]
