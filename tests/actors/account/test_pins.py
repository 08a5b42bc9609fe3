"""What an account keeps of a PIN, and which PINs nobody may choose."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.account.pins import is_weak, keyed_hash
from simulators.auditor.model.pin import is_easy

KEY = bytes(range(32))
PINS = st.from_regex(r"[0-9]{6}", fullmatch=True)

WEAK = [
    "000000", "777777", "123456", "012345", "456789", "890123", "654321", "987654", "210987",
    "991231", "010203", "311299", "123199", "063000", "199012", "200112", "121990", "012001",
]  # fmt: skip


@pytest.mark.parametrize("pin", WEAK)
def test_runs_and_birthdays_are_weak(pin: str) -> None:
    assert is_weak(pin)


@pytest.mark.parametrize("pin", ["314159", "271828", "141421", "135790", "999998", "991332", "001300", "214365"])
def test_other_pins_are_not(pin: str) -> None:
    assert not is_weak(pin)


def test_nine_in_ten_pins_may_be_chosen() -> None:
    assert sum(is_weak(f"{number:06}") for number in range(1_000_000)) == 87_806


@given(PINS)
def test_the_auditor_calls_the_same_ones_weak(pin: str) -> None:
    assert is_easy(pin) == is_weak(pin)


def test_hash_is_of_key_account_and_pin() -> None:
    kept = keyed_hash(KEY, "20260001", "314159")
    assert len(kept) == 16
    assert kept == keyed_hash(KEY, "20260001", "314159")
    others = {
        keyed_hash(bytes(32), "20260001", "314159"), keyed_hash(KEY, "20260002", "314159"),
        keyed_hash(KEY, "20260001", "314158"),
    }  # fmt: skip
    assert len(others | {kept}) == 4
    assert kept.hex() == "937bf9ae5f8d022e997c5a4b2b8df001"
