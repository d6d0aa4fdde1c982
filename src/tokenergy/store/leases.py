"""What one worker may spend on its own word: leases of accounts, and of tenants' rates.

A request costs a look into a dictionary. The file is asked about once in a hundred requests: a
lease is the larger of one request and a hundredth of what remains of the account, so that leases
become small when little is left. What was used is told with the next question, at the latest a
second later; what is not needed is given back.

While the file cannot be asked a worker spends what it holds, until its lease runs out; then
`StoreFault`. A worker that is killed takes its leases along: they stay counted as leased until the
projector has read its journal to the end.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import Final

from tokenergy.company.finding import Finding
from tokenergy.company.serving.plan import AccountPlan, TenantPlan
from tokenergy.company.serving.ports import RateTold, Reserved, StoreFault
from tokenergy.company.serving.record import Holding
from tokenergy.company.serving.window import window_of
from tokenergy.store.lease_file import MOST_QUANTITY, WAIT_S, Account, Change, LeaseFile
from tokenergy.store.rates import Rates

LEASE_SHARE: Final = 0.01
"""Part of what remains of an account that one lease is."""
TTL_S: Final = 30.0
"""How long a lease lasts after it was last told."""
MARGIN_S: Final = 2.0
"""How long before its end a worker stops to spend it."""
RENEW_S: Final = 10.0
IDLE_S: Final = 1.0
"""How long an account must be at rest before what is left of its lease is given back."""
DRY_S: Final = 0.05
"""How long an account that could not hold a request is not asked for as much again."""
MOST_CHANGES_COUNT: Final = 50
"""Accounts told in one transaction: the loop waits for it; the others are told a second later."""
AFTER_FAULT_S: Final = 0.1
"""How long the file is not asked after it failed."""
CLOCK_STEP_S: Final = 1.0
NEVER_S: Final = float("-inf")


@dataclass(slots=True, eq=False)
class Balance:
    """What this worker holds of one window of an account.

    In the file it has leased `left + reserved + used`; `left` is below 0 where more was used than
    was reserved and nothing covers it yet.
    """

    account: Account
    end_s: float
    left: int = 0
    reserved: int = 0
    used: int = 0
    largest: int = 0
    spent: int = 0
    usable_until_s: float = NEVER_S
    moved_s: float = NEVER_S
    told_s: float = NEVER_S
    seen_s: float = NEVER_S
    dry_need: int = 0
    dry_until_s: float = NEVER_S

    def is_dry(self, needed: int, now_s: float) -> bool:
        """Tell whether so much was asked for a moment ago and was not there."""
        return bool(self.dry_need) and needed >= self.dry_need and now_s < self.dry_until_s


class SqliteLeases:
    """Keeps the promise of `Leases`; lives in one thread. `close` it last.

    Attributes:
        findings: clocks that stepped, limits too large for the file; the newest last.
        asked_count: how often the file was asked.
        faults_count: how often it could not be.
        overdrawn: what was used without any lease to cover it, in all accounts together.
    """

    def __init__(
        self,
        path: Path,
        accounts: Sequence[AccountPlan],
        tenants: Sequence[TenantPlan] = (),
        *,
        worker: int,
        epoch: int,
        wait_s: float = WAIT_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Lease nothing yet.

        Args:
            path: the SQLite file that all workers share.
            accounts: of the plan.
            tenants: of the plan, for their rate limits.
            worker: number of this worker.
            epoch: this life of it, the one of its journal.
            wait_s: how long the loop may wait for another worker's transaction.
            monotonic: a clock that never steps, to know when the other one does.
        """
        self._file = LeaseFile(path, worker=worker, epoch=epoch, wait_s=wait_s)
        self._accounts = {account.name: account for account in accounts}
        self._balances: dict[str, Balance] = {}
        self._past: dict[tuple[str, float], Balance] = {}
        self._rates = Rates(self._file, tenants)
        self._monotonic, self._skew_s = monotonic, float("nan")
        self._fault, self._fault_until_s = "", NEVER_S
        self.findings: list[Finding] = []
        self.asked_count = self.faults_count = self.overdrawn = 0
        self._file.is_open()

    def reserve(self, wants: Sequence[tuple[str, int]], *, now_s: float) -> Reserved:
        """Reserve of several accounts, of all or of none.

        Raises:
            StoreFault: if more must be leased and the file cannot be asked.
        """
        step_s = now_s - self._monotonic() - self._skew_s
        if not -CLOCK_STEP_S < step_s < CLOCK_STEP_S:
            self._clock_stepped(step_s, now_s)
        taken: list[Holding] = []
        try:
            for name, quantity in wants:
                balance = self._balance(name, now_s)
                short = balance.left < quantity or now_s >= balance.usable_until_s
                if short and not self._has_leased(balance, quantity, now_s):
                    self.settle(taken, (0,) * len(taken))
                    return Reserved((), name)
                balance.left -= quantity
                balance.reserved += quantity
                balance.moved_s = now_s
                taken.append(Holding(name, balance.account.window_s, quantity))
        except StoreFault:
            self.settle(taken, (0,) * len(taken))
            raise
        return Reserved(tuple(taken), "")

    def settle(self, holdings: Sequence[Holding], actual: Sequence[int]) -> None:
        """Put what was really used in the place of what was reserved."""
        for holding, used in zip(holdings, actual, strict=True):
            balance = self._held(holding)
            balance.reserved -= holding.quantity
            balance.left += holding.quantity - used
            balance.used += used

    def take(
        self, tenant: str, *, requests_count: int, tokens_count: int, now_s: float
    ) -> RateTold:
        """Take from a tenant's rate limits, of both or of none; without limits it is always taken.

        Raises:
            StoreFault: if the file cannot be asked.
        """
        if not self._rates.has(tenant):
            return RateTold(True, None, None, None, None, 0.0)
        if now_s < self._fault_until_s and not self._rates.holds(
            tenant, requests_count, tokens_count
        ):
            raise StoreFault(self._fault)
        try:
            return self._rates.take(tenant, requests_count, tokens_count, now_s=now_s)
        except StoreFault as fault:
            self._failed(fault, now_s)
            raise

    def spent(self, account: str, *, now_s: float) -> int:
        """Return what is settled of an account's window, as far as this worker knows."""
        balance = self._balance(account, now_s)
        if now_s - balance.seen_s >= IDLE_S and now_s >= self._fault_until_s:
            try:
                balance.spent = self._file.spent_of(balance.account)
                balance.seen_s = now_s
            except StoreFault as fault:
                self._failed(fault, now_s)
        return balance.spent + balance.used

    def keep_up(self, *, now_s: float) -> bool:
        """Tell the file what was used, renew, and give back what is not needed.

        To be called about once a second; it asks the file only where there is something to say.

        Returns:
            Whether the file could be asked.
        """
        changes: list[tuple[Balance, Change]] = []
        for name in self._accounts:
            self._balance(name, now_s)
        for balance in (*self._balances.values(), *self._past.values()):
            past = now_s >= balance.end_s
            idle = past or now_s - balance.moved_s >= IDLE_S
            returned = max(0, balance.left) if idle else 0
            holds = balance.left or balance.reserved
            due = holds and now_s - balance.told_s >= RENEW_S and not past
            if balance.used or returned or due:
                changes.append((balance, self._change(balance, returned=returned)))
        try:
            if changes:
                self._ask(changes[:MOST_CHANGES_COUNT], now_s)
            self._rates.return_idle(now_s=now_s)
        except StoreFault as fault:
            self._failed(fault, now_s)
            return False
        for key in [key for key, one in self._past.items() if not (one.reserved or one.used)]:
            del self._past[key]
        return True

    def renew(self, *, now_s: float) -> None:
        """Tell and renew every lease now.

        Raises:
            StoreFault: if the file cannot be asked.
        """
        held = (*self._balances.values(), *self._past.values())
        self._ask([(each, self._change(each)) for each in held], now_s)

    def return_idle(self, *, now_s: float) -> None:
        """Give back all that is leased and not reserved, and tell what was used.

        Raises:
            StoreFault: if the file cannot be asked.
        """
        held = (*self._balances.values(), *self._past.values())
        changes = [(each, self._change(each, returned=max(0, each.left))) for each in held]
        if changes:
            self._ask(changes, now_s)
        self._rates.return_all(now_s=now_s)

    def close(self, *, now_s: float | None = None) -> None:
        """Give everything back if the file can be asked, and close it.

        What cannot be told now is told by the journal.
        """
        if now_s is not None:
            try:
                self.return_idle(now_s=now_s)
            except StoreFault as fault:
                self._failed(fault, now_s)
        self._file.close()

    def _balance(self, name: str, now_s: float) -> Balance:
        """Return what is held of the account's present window."""
        balance = self._balances.get(name)
        if balance is not None and balance.account.window_s <= now_s < balance.end_s:
            return balance
        plan = self._accounts.get(name)
        if plan is None:
            raise StoreFault(f"account {name!r} is in no plan of this worker")
        start_s, end_s = window_of(plan.window, plan.time_zone, now_s)
        if balance is not None:
            self._past[name, balance.account.window_s] = balance
        found = self._past.pop((name, start_s), None)
        if found is None:
            found = Balance(Account(name, start_s, plan.limit), end_s)
            if plan.limit > MOST_QUANTITY and balance is None:
                self.findings.append(_too_large(plan))
        self._balances[name] = found
        return found

    def _held(self, holding: Holding) -> Balance:
        """Return the balance of a window that may be over."""
        balance = self._balances.get(holding.account)
        if balance is not None and balance.account.window_s == holding.window_s:
            return balance
        key = (holding.account, holding.window_s)
        found = self._past.get(key)
        if found is None:  # it was told and let go, and a late one comes: it is told again
            limit = self._accounts[holding.account].limit
            found = Balance(Account(holding.account, holding.window_s, limit), holding.window_s)
            self._past[key] = found
        return found

    def _has_leased(self, balance: Balance, quantity: int, now_s: float) -> bool:
        """Lease so much more that a request fits, and tell whether it does."""
        needed = max(0, quantity - balance.left)
        if balance.is_dry(needed, now_s):
            return False
        if now_s < self._fault_until_s:
            raise StoreFault(self._fault)
        balance.largest = max(balance.largest, quantity)
        change = self._change(
            balance, needed=needed, wished=max(needed, balance.largest), share=LEASE_SHARE
        )
        try:
            self._ask([(balance, change)], now_s)
        except StoreFault as fault:
            self._failed(fault, now_s)
            raise
        if balance.left >= quantity:
            balance.dry_need = 0
            return True
        balance.dry_need, balance.dry_until_s = max(1, quantity - balance.left), now_s + DRY_S
        return False

    def _change(
        self,
        balance: Balance,
        *,
        returned: int = 0,
        needed: int = 0,
        wished: int = 0,
        share: float = 0.0,
    ) -> Change:
        """Return what there is to tell of a balance, and to ask."""
        return Change(balance.account, balance.used, returned, needed, wished, share)

    def _ask(self, asked: Sequence[tuple[Balance, Change]], now_s: float) -> None:
        """Make changes in the file, and here what came of them."""
        changes = [self._covered(balance, change) for balance, change in asked]
        self.asked_count += 1
        told = self._file.change(changes, now_s=now_s, expires_s=now_s + TTL_S)
        for (balance, _), change, came in zip(asked, changes, told, strict=True):
            balance.used -= change.used
            balance.left += came.granted - change.returned + change.overdrawn
            balance.spent = came.spent
            balance.usable_until_s = now_s + TTL_S - MARGIN_S
            balance.told_s = balance.seen_s = now_s
            self.overdrawn += change.overdrawn

    @staticmethod
    def _covered(balance: Balance, change: Change) -> Change:
        """Return the change with what no lease covers told as overdrawn.

        What was used beyond what was reserved is spent all the same: it is told as spent without a
        lease behind it, so that nothing of the next lease pays for it in silence.
        """
        over = max(0, -balance.left)
        if not over:
            return change
        needed = max(0, change.needed - over)
        return change._replace(overdrawn=over, needed=needed, wished=max(needed, change.wished))

    def _failed(self, fault: StoreFault, now_s: float) -> None:
        self.faults_count += 1
        self._fault, self._fault_until_s = str(fault), now_s + AFTER_FAULT_S

    def _clock_stepped(self, step_s: float, now_s: float) -> None:
        """Trust no lease any more until the file was asked again."""
        self._skew_s = now_s - self._monotonic()
        if isnan(step_s):  # the first look at the clocks
            return
        self._fault_until_s = NEVER_S
        for balance in self._each():
            balance.usable_until_s = balance.told_s = balance.dry_until_s = NEVER_S
        self.findings.append(
            Finding(
                code="CLOCK_STEP",
                path="leases",
                value=f"{step_s:.3f}",
                limit=f"{CLOCK_STEP_S:g}",
                unit="s",
                reason="the clock of this machine stepped: leases were taken anew",
                remedy="Let a time daemon slew the clock instead of stepping it.",
                severity="warning",
            )
        )

    def _each(self) -> Iterator[Balance]:
        yield from self._balances.values()
        yield from self._past.values()


def _too_large(plan: AccountPlan) -> Finding:
    return Finding(
        code="ACCOUNT_LIMIT_TOO_LARGE",
        path=plan.name,
        value=str(plan.limit),
        limit=str(MOST_QUANTITY),
        unit=plan.unit,
        reason="the limit is larger than the file of leases can hold; the smaller one holds",
        remedy="State the limit for a shorter window.",
        severity="warning",
    )
