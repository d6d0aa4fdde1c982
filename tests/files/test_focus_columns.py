"""The table of FOCUS columns: 21 mandatory in 1.2, the draft's differences, x_ last."""

import pytest

from tokenergy.errors import InputError
from tokenergy.files.focus_columns import focus_columns, known_version

# Feature level Mandatory in the tag v1.2 of FOCUS_Spec, specification/columns, read 2026-11-24.
MANDATORY = [
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency",
    "BillingPeriodEnd", "BillingPeriodStart", "ChargeCategory", "ChargeClass",
    "ChargeDescription", "ChargePeriodEnd", "ChargePeriodStart", "ContractedCost",
    "EffectiveCost", "InvoiceIssuerName", "ListCost", "PricingQuantity", "PricingUnit",
    "ProviderName", "PublisherName", "ServiceCategory", "ServiceName",
]  # fmt: skip


def test_1_2_has_the_21_mandatory_columns():
    mandatory = [column for column in focus_columns("1.2") if column.mandatory]
    assert [column.name for column in mandatory] == MANDATORY
    null = [column.name for column in mandatory if column.nullable]
    assert null == [
        "BillingAccountName", "ChargeClass", "ChargeDescription", "PricingQuantity", "PricingUnit"
    ]  # fmt: skip


def test_the_draft_of_1_4_trades_two_names_for_two():
    old, new = ({c.name for c in focus_columns(v) if c.mandatory} for v in ("1.2", "1.4"))
    assert old - new == {"ProviderName", "PublisherName"}
    assert new - old == {"ServiceProviderName", "HostProviderName"}
    drafts = [c for c in focus_columns("1.4") if c.since > "1.2"]
    assert drafts and not any(c.verified for c in drafts)


@pytest.mark.parametrize("version", ["1.2", "1.4"])
def test_columns_are_in_order_with_ours_last_and_sourced(version):
    columns = focus_columns(version)
    theirs = [c.name for c in columns if not c.custom]
    assert [c.name for c in columns] == theirs + [c.name for c in columns if c.custom]
    assert theirs == sorted(theirs)
    assert all(c.source and c.retrieved_on for c in columns)


def test_another_version_is_refused():
    with pytest.raises(InputError, match=r"1\.2 or 1\.4"):
        known_version("1.0")
