"""The energy model: joules of a request, an image or a video on any replica of the catalogue."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from tokenergy.company.catalogue import Catalogue
from tokenergy.company.coefficients import Coefficients
from tokenergy.company.curve_point import CurvePoint
from tokenergy.energy.calibrate import faults_of
from tokenergy.energy.calibrated_curve import known_point, predicted_j_per_token
from tokenergy.energy.estimate import EnergyEstimate
from tokenergy.energy.explain import ExplainRow
from tokenergy.energy.language_estimate import joules_of, language_estimate, named
from tokenergy.energy.media_estimate import media_estimate
from tokenergy.energy.predict import coefficients_for
from tokenergy.energy.query import EnergyQuery, MediaQuery
from tokenergy.energy.replica_power import ReplicaCurve
from tokenergy.errors import FindingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyModel:
    """Predicts joules from a catalogue; immutable, so calibrating makes another one.

    `coefficients` stand in the place of the catalogue's, where they are given: for a fit of one's
    own. Measured points are those of `catalogue.points`; each corrects its own configuration.
    """

    catalogue: Catalogue
    coefficients: tuple[Coefficients, ...] | None = None

    def predict(self, query: EnergyQuery) -> EnergyEstimate:
        """Return what a request costs.

            J = s c (e(B) out + prefill(in, cached) - prefill(rho out))

        with e(B) the curve, s what the serving stack does to it and c what measured points do.

        Raises:
            UnknownModel, UnknownAccelerator: naming the nearest entries.
            DoesNotFit: if weights and one sequence exceed the memory of the replica.
        """
        return language_estimate(self._facts, query)[0]

    def predict_media(self, query: MediaQuery) -> EnergyEstimate:
        """Return what some images, or clips of one length, cost.

        The joules of a second of video are a function of the clip's length, since attention
        grows with its square: ask for each length.

        Raises:
            UnknownModel, UnknownAccelerator: naming the nearest entries.
            DoesNotFit: if the diffusion transformer exceeds one GPU.
            InputError: if a length is asked of an image.
        """
        return media_estimate(self._facts, query)[0]

    def explain(self, query: EnergyQuery | MediaQuery) -> tuple[ExplainRow, ...]:
        """Return rows whose joules add up to `predict` or `predict_media`.

        Raises:
            InputError: as they do.
        """
        if isinstance(query, MediaQuery):
            return media_estimate(self._facts, query)[1]
        return language_estimate(self._facts, query)[1]

    def curve(self, query: EnergyQuery) -> ReplicaCurve:
        """Return the curve of the query's replica and lengths, whatever its batch.

        Raises:
            UnknownModel, UnknownAccelerator: naming the nearest entries.
        """
        model, accelerator = named(self._facts, query)
        fit = coefficients_for(self._facts, accelerator.accelerator)
        return ReplicaCurve(
            joules=joules_of(self._facts, query, model, accelerator),
            usual_w=fit.power_share * query.gpus_count * accelerator.tdp_w,
        )

    def calibrate(self, points: Iterable[CurvePoint]) -> "EnergyModel":
        """Return the model with these points beside those that it has.

        A point corrects its own model, accelerator, count, precision and stack, and nothing else.

        Raises:
            FindingsError: with all points of another boundary than boards, or without figures.
            UnknownModel, UnknownAccelerator: naming the nearest entries.
        """
        more = tuple(self._known(point) for point in points)
        findings = [
            found
            for number, point in enumerate(more, start=1)
            for found in faults_of(
                point, point.j_per_token, place=point.source or f"point {number}"
            )
        ]
        if findings:
            raise FindingsError(findings)
        return replace(
            self, catalogue=replace(self.catalogue, points=(*self.catalogue.points, *more))
        )

    def point_j(self, point: CurvePoint) -> float:
        """Return what is predicted at a point without any of them, J per output token.

        Raises:
            UnknownModel, UnknownAccelerator: naming the nearest entries.
        """
        return predicted_j_per_token(self._facts, self._known(point))

    @property
    def _facts(self) -> Catalogue:
        if self.coefficients is None:
            return self.catalogue
        return replace(self.catalogue, coefficients=self.coefficients)

    def _known(self, point: CurvePoint) -> CurvePoint:
        """Return a point under the catalogue's own names, of stack and precision too."""
        return known_point(
            point,
            model=self.catalogue.language_model(point.model),
            accelerator=self.catalogue.accelerator(point.accelerator),
        )
