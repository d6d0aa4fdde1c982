"""A run: what one policy did over a horizon, and what that did to meters and stores."""

from dataclasses import dataclass, field

import numpy as np

from tokenergy.dispatch.window import true_window, work_only
from tokenergy.dispatch.world import BoolArray, FloatArray, IntArray, State, World


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Run:
    """What happened in each interval of the horizon; T counts from its first one.

    Axes as in `World`: S sites, D deployments, W workloads, R routes, C as-produced contracts,
    B batteries. Energies and work are per interval; stocks are those at the interval's end.

    Attributes:
        policy: the name of the policy.
        initial: the state before the first interval.
        serve_mtok: work done by route [R, T].
        refused_mtok: work refused, or still waiting when the horizon ended [W, T].
        backlog_mtok: work that waits [W, T].
        awake, wake: awake replicas, and those that woke [D, T].
        take_mwh: taken from as-produced contracts [C, T].
        charge_mwh, discharge_mwh: at the batteries' terminals [B, T].
        energy_mwh: stored energy [B, T].
        it_mwh, load_mwh: at the racks, and at the meter with cooling [S, T].
        import_mwh, export_mwh: at the meter, net of each other [S, T].
        bought_mwh, sold_mwh: settled at the spot price, net of each other [S, T].
        generate_mwh: made by plants on site [U, T].
        sources: who decided each interval: the policy, or what it fell back to.
        asked_usd_per_mtok: what one Mtok more of each workload cost, as the policy saw it then
            [W, T]; None for a policy that prices nothing.
        mw_rent_usd_per_mwh: what one MWh more through each connection was worth beside its price,
            as the policy saw it then [S, T]; None likewise.
    """

    policy: str
    initial: State
    serve_mtok: FloatArray
    refused_mtok: FloatArray
    backlog_mtok: FloatArray
    awake: FloatArray
    wake: FloatArray
    take_mwh: FloatArray
    charge_mwh: FloatArray
    discharge_mwh: FloatArray
    energy_mwh: FloatArray
    it_mwh: FloatArray
    load_mwh: FloatArray
    import_mwh: FloatArray
    export_mwh: FloatArray
    bought_mwh: FloatArray
    sold_mwh: FloatArray
    sources: tuple[str, ...]
    asked_usd_per_mtok: FloatArray | None = None
    mw_rent_usd_per_mwh: FloatArray | None = None
    generate_mwh: FloatArray = field(default_factory=lambda: np.zeros((0, 0)))

    @property
    def intervals_count(self) -> int:
        """Number of intervals."""
        return len(self.sources)

    def served_mtok(self, world: World) -> FloatArray:
        """Return the work served by workload [W, T]."""
        return sum_rows(self.serve_mtok, [r.workload for r in world.routes], len(world.workloads))

    def deferred_mtok(self, world: World) -> FloatArray:
        """Return what was served later than the interval it arrived in [W, T].

        The earliest due is served first, so waiting work goes before new work.
        """
        before = np.column_stack([self.initial.backlog_mtok.sum(axis=1), self.backlog_mtok[:, :-1]])
        deferred: FloatArray = np.minimum(before, self.served_mtok(world))
        return deferred

    def busy_h(self, world: World) -> FloatArray:
        """Return the replica-hours that work takes; an external API has none [D, T]."""
        own = np.array([not world.deployments[r.deployment].external for r in world.routes], bool)
        rate = np.array([r.rate_mtok_per_h for r in world.routes])
        hours = self.serve_mtok * (own / rate)[:, None]
        return sum_rows(hours, [r.deployment for r in world.routes], len(world.deployments))

    def drawing(self, world: World) -> tuple[FloatArray, FloatArray]:
        """Return the replicas that draw base power, and the wakes that draw energy [D, T].

        Those awake and those that wake; but where only work draws, those at work and none.
        """
        sites = [max(0, d.site) for d in world.deployments]
        work_only = only_work_draws(world)[sites, world.first : world.last]
        on = np.where(work_only, self.busy_h(world) / world.step_h, self.awake)
        return on, np.where(work_only, 0.0, self.wake)

    def replica_mwh(self, world: World) -> FloatArray:
        """Return what awake and waking replicas draw beside their tokens, at the meter [D, T]."""
        base_mwh = np.array([d.base_mw for d in world.deployments]) * world.step_h
        wake_mwh = np.array([d.wake_mwh for d in world.deployments])
        on, woken = self.drawing(world)
        drawn = base_mwh[:, None] * on + wake_mwh[:, None] * woken
        return _pue_at_deployments(world) * drawn

    def token_mwh(self, world: World) -> FloatArray:
        """Return the marginal energy of tokens, at the meter [R, T]."""
        marginal = np.array([r.marginal_mwh_per_mtok for r in world.routes])
        at = [r.deployment for r in world.routes]
        drawn: FloatArray = _pue_at_deployments(world)[at] * marginal[:, None] * self.serve_mtok
        return drawn

    def route_mwh(self, world: World) -> FloatArray:
        """Return the energy of work at the meter, its part of the replicas' included [R, T].

        A replica's base draw and wakes are its work's, by the time that each work takes. What is
        awake for nobody, and standing load, are not in it.
        """
        at = [r.deployment for r in world.routes]
        rate = np.array([r.rate_mtok_per_h for r in world.routes])
        busy = self.busy_h(world)[at]
        share = np.divide(
            self.serve_mtok / rate[:, None], busy, out=np.zeros_like(busy), where=busy > 0.0
        )
        both: FloatArray = self.token_mwh(world) + share * self.replica_mwh(world)[at]
        return both


def _pue_at_deployments(world: World) -> FloatArray:
    """Return the PUE around each deployment, 0 where it is an external API [D, T]."""
    pue = world.pue[:, world.first : world.last]
    own = np.array([not d.external for d in world.deployments], dtype=bool)
    around: FloatArray = pue[[max(0, d.site) for d in world.deployments]] * own[:, None]
    return around


def only_work_draws(world: World) -> BoolArray:
    """Return where base power follows work and waking draws nothing [S, T] (docs/design.md)."""
    return work_only(world, true_window(world, begin=0, count=world.last))


def sums_by(owner: IntArray, values: FloatArray, count: int) -> FloatArray:
    """Return the sum of the values of each owner [count]."""
    return np.bincount(owner, weights=values, minlength=count).astype(np.float64)


def sum_rows(values: FloatArray, owner: list[int], owners_count: int) -> FloatArray:
    """Return the sum of the rows of each owner [owners, T]; rows of owner -1 belong to nobody."""
    total = np.zeros((owners_count, values.shape[1]))
    own = [at for at, of in enumerate(owner) if of >= 0]
    np.add.at(total, [owner[at] for at in own], values[own])
    return total
