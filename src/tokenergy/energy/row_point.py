"""The operating point of a replica that was simulated, in the place of the catalogue's estimate."""

from tokenergy.company.catalogue import Catalogue
from tokenergy.company.operating_row import OperatingRow, OperatingTerms
from tokenergy.energy.calibrated_curve import CalibratedCurve, calibrated_curve, stacked_band
from tokenergy.energy.operating_point import OperatingPoint, start_h
from tokenergy.energy.predict import coefficients_for, language_band, prefill_j_per_token
from tokenergy.units import J_PER_MWH, TOKENS_PER_MTOK, W_PER_MW


def curve_of_terms(catalogue: Catalogue, terms: OperatingTerms) -> CalibratedCurve:
    """Return the curve of the replica that a row is made for.

    Raises:
        UnknownModel, UnknownAccelerator: naming the nearest entries.
    """
    return calibrated_curve(
        catalogue,
        catalogue.language_model(terms.catalogue_model).at_precision(terms.bytes_per_weight),
        catalogue.accelerator(terms.accelerator),
        gpus_count=terms.gpus_count,
        input_tokens_count=terms.input_tokens,
        output_tokens_count=terms.output_tokens,
        stack=terms.stack,
    )


def row_operating_point(catalogue: Catalogue, row: OperatingRow) -> OperatingPoint:
    """Return the point that a row of the table of operating points states.

    Rate, base, slope, the first token of one request alone and the bound are the row's; what it
    takes to wake a replica and the band of its joules are of the catalogue, as without a table.
    A row was made with the company's points where there are any, or it would not stand.
    By hand: 5 requests/s of 300 tokens are 5.4 Mtok/h; 0.9 J a token are 0.25 kWh/Mtok.

    Raises:
        UnknownModel, UnknownAccelerator: naming the nearest entries.
    """
    terms = row.terms
    facts = catalogue.language_model(terms.catalogue_model).at_precision(terms.bytes_per_weight)
    sku = catalogue.accelerator(terms.accelerator)
    fit = coefficients_for(catalogue, sku.accelerator)
    host_w = terms.host_w_per_gpu * terms.gpus_count
    average_j = (row.power_w - host_w) / (row.rate_per_s * terms.output_tokens)
    base_mw = row.base_w / W_PER_MW
    wake_h = start_h(facts.weights_gb / terms.gpus_count)
    curve = curve_of_terms(catalogue, terms)
    modelled = language_band(facts, fitted=fit.fitted)
    modelled = stacked_band(modelled, catalogue, terms.stack, accelerator=sku.accelerator)
    low_share, high_share = curve.band(modelled, batch_count=row.mean_batch_count)
    return OperatingPoint(
        model=facts.model_id,
        accelerator=sku.accelerator,
        gpus_count=terms.gpus_count,
        batch_count=row.mean_batch_count,
        tokens_per_item_count=None,
        rate_mtok_per_h=row.rate_mtok_per_h,
        base_mw=base_mw,
        marginal_mwh_per_mtok=row.marginal_j_per_token * TOKENS_PER_MTOK / J_PER_MWH,
        sleep_mw_per_gpu=sku.idle_w / W_PER_MW,
        tpot_s=row.tpot_s,
        unloaded_ttft_s=row.unloaded_ttft_s,
        wake_h=wake_h,
        wake_mwh=base_mw * wake_h,
        input_output_cost_ratio_share=prefill_j_per_token(facts, fit) / average_j,
        bound=row.bound,
        energy_tier="modelled" if curve.joules is None else "calibrated",
        low_share=low_share,
        high_share=high_share,
        warnings=(f"simulated: {row.law}, {row.lengths}", *row.notes, *curve.notes),
    )
