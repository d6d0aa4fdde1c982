"""The fitted numbers of one accelerator: what turns a model's facts into joules."""

from dataclasses import dataclass

from tokenergy.company.model import WorkUnit


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageCoefficients:
    """The nine parameters of the language form of `energy.predict`.

    `c_` are of the board; the ratios `x_` and `c_comm` are of the serving software, one value for
    all boards. Some terms are collinear: predict with the form, do not read causes from it.
    """

    c_layer_j: float
    """J per GPU, layer and step."""
    c_w_j_per_gb: float
    c_e_j_per_gb: float
    c_f_j_per_tflop: float
    c_kv_j_per_gb: float
    x_moe_ratio: float
    x_fp8moe_ratio: float
    x_flop_moe_ratio: float
    c_comm_ratio: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaCoefficients:
    """The five parameters of the media form of `energy.media.item_j`."""

    c_lin_j_per_tflop: float
    c_att_j_per_tflop: float
    c_px_j_per_mpx: float
    """J per 10^6 pixels of one frame."""
    c_n_ratio: float
    c_s_j: float
    """J per further GPU, layer, pass and step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coefficients:
    """All fitted numbers of one accelerator.

    `power_share`, `image_power_share` and `video_power_share` are median board power over
    TDP at work. `fitted` is False for numbers carried over from another accelerator by
    data-sheet ratios.
    """

    accelerator: str
    language: LanguageCoefficients
    media_one_gpu: MediaCoefficients
    media_many_gpus: MediaCoefficients
    c_pre_j_per_tflop: float
    power_share: float
    image_power_share: float
    video_power_share: float
    data_version: str
    in_sample_mape_share: float | None
    blind_mape_share: float | None
    fitted: bool = True
    media_data_version: str = ""
    """Of the media groups, whose measurements are others."""

    def media(self, *, gpus_count: int) -> MediaCoefficients:
        """Return the media parameters for that many GPUs: one has a fit of its own."""
        return self.media_one_gpu if gpus_count == 1 else self.media_many_gpus

    def power_share_of(self, kind: WorkUnit) -> float:
        """Return board power over TDP at work, by the unit of work."""
        shares = {
            "token": self.power_share,
            "image": self.image_power_share,
            "video_second": self.video_power_share,
        }
        return shares[kind]
