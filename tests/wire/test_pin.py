"""Sealed PINs: they open for their use in their request, under their terminal's key, and for nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.pin import SEALED_PIN_BYTES, PinContext, PinUnreadableError, PinUse, open_pin, seal_pin

KEY, OTHER_KEY, NONCE = bytes(range(32)), bytes(32), bytes(range(12))
CONTEXT = PinContext(PinUse.PURCHASE, 1001, 42, "0020260001", 25_000)
SEALED = seal_pin("314159", KEY, NONCE, CONTEXT)


@given(
    st.from_regex(r"[0-9]{6}", fullmatch=True), st.binary(min_size=32, max_size=32),
    st.binary(min_size=12, max_size=12),
)  # fmt: skip
def test_what_is_sealed_opens(pin: str, key: bytes, nonce: bytes) -> None:
    sealed = seal_pin(pin, key, nonce, CONTEXT)
    assert len(sealed) == SEALED_PIN_BYTES
    assert pin.encode() not in sealed
    assert open_pin(sealed, key, CONTEXT) == pin


@pytest.mark.parametrize(
    "change",
    [
        {"use": PinUse.OLD}, {"use": PinUse.NEW}, {"terminal": 1002}, {"stan": 43}, {"account": "20260001"},
        {"amount": 25_001},
    ],
    ids=str,
)  # fmt: skip
def test_it_opens_in_no_other_request(change: dict[str, object]) -> None:
    with pytest.raises(PinUnreadableError):
        open_pin(SEALED, KEY, CONTEXT._replace(**change))


def test_it_opens_under_no_other_key() -> None:
    with pytest.raises(PinUnreadableError):
        open_pin(SEALED, OTHER_KEY, CONTEXT)


@pytest.mark.parametrize("place", range(SEALED_PIN_BYTES))
def test_it_does_not_open_when_a_bit_is_altered(place: int) -> None:
    altered = bytearray(SEALED)
    altered[place] ^= 1
    with pytest.raises(PinUnreadableError):
        open_pin(bytes(altered), KEY, CONTEXT)


@pytest.mark.parametrize("sealed", [b"", SEALED[:-1], SEALED + b"\x00", SEALED[12:], bytes(12)])
def test_other_lengths_are_no_pin(sealed: bytes) -> None:
    with pytest.raises(PinUnreadableError, match="instead of 34"):
        open_pin(sealed, KEY, CONTEXT)


@pytest.mark.parametrize("text", ["31415", "3141592", "", "31415a", " 31415", "-31415", "314.15"])
def test_only_six_digits_are_a_pin(text: str) -> None:
    sealed = seal_pin(text, KEY, NONCE, CONTEXT)
    with pytest.raises(PinUnreadableError):
        open_pin(sealed, KEY, CONTEXT)


def test_texts_of_different_requests_never_coincide() -> None:
    assert CONTEXT.associated == b"PIN purchase 1001 42 25000 0020260001"
    assert CONTEXT._replace(stan=4, amount=225_000).associated != CONTEXT.associated
