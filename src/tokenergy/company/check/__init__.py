"""Everything wrong with a company that its own words and the catalogue can tell, at once."""

from tokenergy.company.catalogue import Catalogue
from tokenergy.company.check.audience import check_audience
from tokenergy.company.check.budgets import check_budgets
from tokenergy.company.check.contracts import check_contracts
from tokenergy.company.check.limits import check_limits
from tokenergy.company.check.models import check_models
from tokenergy.company.check.money import check_money
from tokenergy.company.check.names import check_names
from tokenergy.company.check.outages import check_outages
from tokenergy.company.check.planning import check_planning
from tokenergy.company.check.power import check_power
from tokenergy.company.check.proportion import check_proportion
from tokenergy.company.check.rates import check_rates
from tokenergy.company.check.reach import check_reach
from tokenergy.company.check.residual import check_residual
from tokenergy.company.check.serving import check_serving
from tokenergy.company.check.sizes import check_sizes
from tokenergy.company.check.span import check_span
from tokenergy.company.check.tariffs import check_tariffs
from tokenergy.company.check.terms import check_terms
from tokenergy.company.check.watched import check_watched
from tokenergy.company.check.worlds import check_worlds
from tokenergy.company.company import Company
from tokenergy.company.finding import Finding
from tokenergy.company.parts import Parts

__all__ = ["check_company"]


def check_company(
    company: Company | Parts, catalogue: Catalogue, *, allow_unverified: bool = False
) -> tuple[Finding, ...]:
    """Return the findings about a company, or about what could be read of one.

    Series are not looked at: `files/series` does that. Nothing is said twice, and nothing that
    only follows from an item which could not be read. `allow_unverified` lets presets in that
    nobody has checked at their source.
    """
    parts = company if isinstance(company, Parts) else Parts.of(company)
    return (
        *check_span(parts),
        *check_terms(parts),
        *check_names(parts),
        *check_sizes(parts),
        *check_proportion(parts),
        *check_money(parts),
        *check_power(parts),
        *check_residual(parts),
        *check_contracts(parts),
        *check_tariffs(parts),
        *check_rates(parts),
        *check_outages(parts),
        *check_models(parts, catalogue),
        *check_reach(parts),
        *check_audience(parts, catalogue, allow_unverified=allow_unverified),
        *check_limits(parts, catalogue),
        *check_budgets(parts),
        *check_watched(parts),
        *check_serving(parts),
        *check_planning(parts),
        *check_worlds(parts),
    )
