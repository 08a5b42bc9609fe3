"""The recovery benchmark's arithmetic, whose approval counts, and what makes a run fail."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from running_switch import make_data

from actors.account.events import Purchased
from actors.placement import slot_of, slots_of
from bench.campus import ACCOUNTS
from bench.kills import Asked, RecoveryError, Round, accounts_of
from bench.recovery import check, compare, percentile, summarise
from wire.codes import Code


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, 1), (0.01, 1), (0.5, 50), (0.501, 51), (0.99, 99), (0.991, 100), (1.0, 100)]
)
def test_percentile_is_one_of_the_values(share: float, expected: int) -> None:
    assert percentile([*range(100, 0, -1)], share) == expected


@pytest.mark.parametrize("share", [0.5, 0.99])
def test_percentile_of_one_value(share: float) -> None:
    assert percentile([1.5], share) == 1.5


def test_every_key_that_others_read_is_there() -> None:
    rounds = [Round("shard", [1.0, 3.0]), Round("gateway", [0.5]), Round("shard", [2.0, 2.00049])]
    assert summarise(rounds) == {
        "shard_rounds": 2, "shard_samples": 4, "shard_p50_s": 2.0, "shard_p99_s": 3.0, "shard_max_s": 3.0,
        "gateway_rounds": 1, "gateway_samples": 1, "gateway_p50_s": 0.5, "gateway_p99_s": 0.5, "gateway_max_s": 0.5,
    }  # fmt: skip


def test_every_account_is_of_one_shard() -> None:
    shards = [accounts_of(shard, 3) for shard in range(3)]
    for shard, accounts in enumerate(shards):
        assert {slot_of(account) for account in accounts} <= set(slots_of(shard, 3))
    assert len(set().union(*shards)) == sum(map(len, shards)) == ACCOUNTS


def test_good_answers_and_journals_pass(tmp_path: Path) -> None:
    asked = Asked(Counter({Code.APPROVED: 1, Code.SYSTEM_MALFUNCTION: 2, None: 3}), [])
    assert "Checked, and found right" in check(make_data(tmp_path, shards=2), asked)


@pytest.mark.parametrize(
    ("codes", "authorizations", "fault"),
    [
        ({Code.INSUFFICIENT_FUNDS: 1}, [], "a good card was answered"),
        ({Code.APPROVED: 2}, [4096, 4096], "1 approvals had an authorization number that was given before"),
        ({Code.APPROVED: 1}, [1 << 40], "1 approvals are in no journal"),
    ],
)
def test_wrong_answers_fail(tmp_path: Path, codes: dict[Code, int], authorizations: list[int], fault: str) -> None:
    with pytest.raises(RecoveryError, match=fault):
        check(make_data(tmp_path), Asked(Counter(codes), authorizations))


def purchased(stan: int, authorization: int) -> Purchased:
    return Purchased(
        account="20260001", time_us=1, previous=1, terminal=1001, stan=stan, card="C0020260001", amount=1, merchant=1,
        business_day=0, period=0, paid=(1,), balances=(0,), authorization=authorization,
    )  # fmt: skip


def test_request_decided_twice_fails() -> None:
    asked = Asked(Counter({Code.APPROVED: 1}), [4096])
    compare(asked, [purchased(1, 4096), purchased(2, 4097)])  # nobody heard of the second: its answer was lost
    with pytest.raises(RecoveryError, match="1 requests were decided more than once"):
        compare(asked, [purchased(1, 4096), purchased(1, 4097)])


def test_broken_journals_fail(tmp_path: Path) -> None:
    data = make_data(tmp_path, shards=2)
    (data / "shard-0001" / "data.mdb").rename(tmp_path / "lost.mdb")
    with pytest.raises(RecoveryError, match="verify found a fault"):
        check(data, Asked(Counter(), []))
