"""What share of its data sheet each accelerator reaches, fitted to published measured rates."""

from typing import Final

from tokenergy.simulate.roofline_law import RooflineFit

REFERENCE: Final = "H100"
"""Whose shares stand for an accelerator without a fit of its own, on that one's data sheet."""

_SOURCE: Final = "fitted by Tokenergy to output rates of the ML.ENERGY benchmark v3 (vLLM 0.11.1)"
_CARRIED: Final = f"shares of the {REFERENCE}, which was {_SOURCE}; not measured on this one"

FITS: Final = {
    "H100": RooflineFit(
        arithmetic_share=0.71,
        bandwidth_share=0.903,
        layer_s=66.9e-6,
        link_layer_s=48.6e-6,
        sequence_s=70.9e-6,
        source=_SOURCE,
    ),
    "B200": RooflineFit(
        arithmetic_share=0.71,
        bandwidth_share=0.697,
        layer_s=93.4e-6,
        link_layer_s=36.3e-6,
        sequence_s=57.4e-6,
        source=_SOURCE,
    ),
}
"""Least squares (soft L1, scale 0.2) of the logarithm of batch over output rate, on the rows of
that accelerator whose model an earlier catalogue held and that have no data parallelism: 257 of
H100, 233 of B200, batches of 7 to 4,095. Mean error in sample 13.6 and 25.8 %; with one family of
models held out 15.8 and 29 %. On all rows that the catalogue holds now, 405 and 417, most of the
new ones of families that the fit never saw, it is 18 and 29 %; fitted again to all of them it is
18 and 32 %, so that it was left alone. Without the cost of a sequence it is far worse.

The arithmetic share is not fitted: the rows have little prefill, and say nothing on it. 0.71 is
what an H100 at its TDP does at the 1.0 J/TFLOP of diffusion (energy sheet, section 6): more would
draw more than the board may. Input lengths are not in the data; those that the energy fit guesses
are taken (energy sheet, section 3)."""


def fit_for(accelerator: str) -> RooflineFit:
    """Return the fit of an accelerator, or the reference's carried over by its data sheet."""
    own = FITS.get(accelerator)
    if own is not None:
        return own
    reference = FITS[REFERENCE]
    return RooflineFit(
        arithmetic_share=reference.arithmetic_share,
        bandwidth_share=reference.bandwidth_share,
        layer_s=reference.layer_s,
        link_layer_s=reference.link_layer_s,
        sequence_s=reference.sequence_s,
        source=_CARRIED,
    )
