"""Every message survives the wire; what a later version adds at its end is ignored."""

from types import UnionType
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from wire import codec
from wire.codec import MessageDecoder, Unreadable
from wire.codes import Code, Reason
from wire.messages import (
    ActivateCard,
    Advice,
    Answer,
    BalanceInquiry,
    BindFamily,
    Capture,
    ChangePin,
    CloseAccount,
    CorrectEntry,
    CorrectionReason,
    CreditFamily,
    Echo,
    Echoed,
    Emergency,
    ExplainGap,
    FeePayment,
    Figures,
    FindCard,
    FreezeCard,
    GrantSubsidy,
    Hold,
    HotCard,
    HotList,
    HotListInquiry,
    IssueCard,
    MealPeriodEnd,
    MiniStatement,
    OpenAccount,
    Parameters,
    ParametersInquiry,
    Purchase,
    Reconciliation,
    Refund,
    Rejected,
    Release,
    ReplaceCard,
    Reply,
    ReportLoss,
    Request,
    ResetPin,
    Reversal,
    ReviewLoss,
    ServiceTotal,
    SetExpiry,
    SetFamilyPolicy,
    SetLimits,
    Settlement,
    SettleSuspicion,
    SignedOff,
    SignedOn,
    SignOff,
    SignOn,
    Statement,
    StatementEntry,
    SubsidyClaim,
    TopUp,
    UnbindFamily,
    UnfreezeCard,
)


def leaves(union: UnionType) -> list[type]:
    return [leaf for part in get_args(union) for leaf in (leaves(part) if isinstance(part, UnionType) else [part])]


terminals = st.integers(1, 99_999_999)
stans = st.integers(1, 2**63 - 1)
waits = st.integers(0, 600_000)
signed = st.integers(-(2**63), 2**63 - 1)
counters = st.integers(0, 2**63 - 1)
codes = st.sampled_from(Code)
reasons = st.sampled_from(Reason)
purses = st.lists(signed, max_size=4).map(tuple)
accounts = st.text(min_size=1, max_size=19)
head = (terminals, stans, waits, accounts)
cards = st.text(min_size=1, max_size=20)
digits = st.text("0123456789", min_size=1, max_size=19)
serials = st.text([chr(code) for code in range(33, 127)], min_size=1, max_size=20)
clerks = st.text("abcdefghijklmnopqrstuvwxyz0123456789.-", min_size=1, max_size=32)
days = st.integers(20000101, 99991231)
WORD = "ABCXYZabcxyz0123456789.-"
batches = st.text(WORD, min_size=1, max_size=24)
notes = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=80)
guardians = st.text(WORD, min_size=1, max_size=32)
command = (*head, clerks)
PERSON_CLASSES = ("student", "staff", "administrator", "service-staff", "visitor")
sealed = st.binary(max_size=64)
entries = st.builds(StatementEntry, counters, st.text(), codes, signed, purses, counters, counters)

sums = st.integers(0, 2**53 - 1)
totals = st.lists(st.builds(ServiceTotal, st.text(min_size=1, max_size=32), sums, sums), max_size=32).map(tuple)
days = st.integers(20_000_101, 99_991_231)
periods = st.lists(st.builds(MealPeriodEnd, st.text(), st.text()), max_size=24).map(tuple)
hot_cards = st.lists(st.builds(HotCard, st.text(), st.text()), max_size=20).map(tuple)

REQUESTS: dict[type, st.SearchStrategy[Any]] = {
    SignOn: st.builds(SignOn, signed, st.text(max_size=64)),
    SignOff: st.builds(SignOff),
    Echo: st.builds(Echo, counters),
    Purchase: st.builds(Purchase, *head, cards, signed, sealed),
    TopUp: st.builds(TopUp, *head, cards, signed, st.integers(1, 3)),
    SubsidyClaim: st.builds(SubsidyClaim, *head, cards),
    BalanceInquiry: st.builds(BalanceInquiry, *head, cards),
    MiniStatement: st.builds(MiniStatement, *head, cards, st.integers(5, 20)),
    Reversal: st.builds(Reversal, *head, terminals, stans, signed),
    Refund: st.builds(Refund, *head, terminals, stans, signed),
    Hold: st.builds(Hold, *head, cards, signed),
    Capture: st.builds(Capture, *head, terminals, stans, signed),
    Release: st.builds(Release, *head, terminals, stans),
    Advice: st.builds(Advice, *head, cards, signed, stans, counters),
    ChangePin: st.builds(ChangePin, *head, cards, sealed, sealed),
    ReportLoss: st.builds(ReportLoss, *head, st.just("") | clerks),
    OpenAccount: st.builds(OpenAccount, *head[:-1], digits, clerks, serials, days, st.sampled_from(PERSON_CLASSES)),
    IssueCard: st.builds(IssueCard, *command, serials, days),
    ActivateCard: st.builds(ActivateCard, *command),
    ReviewLoss: st.builds(ReviewLoss, *command),
    FindCard: st.builds(FindCard, *command),
    FreezeCard: st.builds(FreezeCard, *command),
    UnfreezeCard: st.builds(UnfreezeCard, *command),
    ReplaceCard: st.builds(ReplaceCard, *command, serials, st.sampled_from(FeePayment)),
    CloseAccount: st.builds(CloseAccount, *command),
    SetExpiry: st.builds(SetExpiry, *command, days),
    ResetPin: st.builds(ResetPin, *command, sealed),
    GrantSubsidy: st.builds(GrantSubsidy, *command, batches, signed, days),
    BindFamily: st.builds(BindFamily, *command, guardians),
    UnbindFamily: st.builds(UnbindFamily, *command),
    SetFamilyPolicy: st.builds(SetFamilyPolicy, *command, signed, signed, signed),
    CreditFamily: st.builds(CreditFamily, *command, signed, st.integers(1, 3)),
    SetLimits: st.builds(SetLimits, *command, signed, signed, signed, signed, signed),
    CorrectEntry: st.builds(CorrectEntry, *command, st.integers(0, 2), signed, st.sampled_from(CorrectionReason)),
    SettleSuspicion: st.builds(SettleSuspicion, *command, terminals, stans, st.sampled_from(Settlement), notes),
    Reconciliation: st.builds(Reconciliation, terminals, stans, waits, days, totals),
    Emergency: st.builds(Emergency, terminals, stans, waits, st.text(max_size=19), st.text(max_size=20)),
    ExplainGap: st.builds(ExplainGap, terminals, stans, waits, clerks, terminals, stans, stans, notes),
    ParametersInquiry: st.builds(ParametersInquiry, terminals, stans, waits, st.text(max_size=64)),
    HotListInquiry: st.builds(HotListInquiry, terminals, stans, waits, st.integers(10, 500), st.text(max_size=100)),
}
REPLIES: dict[type, st.SearchStrategy[Any]] = {
    SignedOn: st.builds(SignedOn, codes, reasons, *[counters] * 6),
    SignedOff: st.builds(SignedOff),
    Echoed: st.builds(Echoed, counters, counters),
    Answer: st.builds(Answer, terminals, stans, codes, reasons, counters, purses, purses, counters),
    Statement: st.builds(Statement, terminals, stans, purses, st.lists(entries, max_size=20).map(tuple)),
    Figures: st.builds(Figures, terminals, stans, days, totals, totals),
    Parameters: st.builds(Parameters, terminals, stans, st.text(), st.text(), sums, periods, sums, sums),
    HotList: st.builds(HotList, terminals, stans, st.text(), sums, sums, hot_cards),
    Rejected: st.builds(Rejected, counters, counters, codes, reasons, counters, st.text()),
}
DIRECTIONS = [(codec.request_decoder, message) for message in REQUESTS.values()] + [
    (codec.reply_decoder, message) for message in REPLIES.values()
]
IDS = [message.__name__ for message in (*REQUESTS, *REPLIES)]


def test_no_message_is_left_out() -> None:
    assert list(REQUESTS) == leaves(Request)
    assert list(REPLIES) == leaves(Reply)


@pytest.mark.parametrize(("decoder", "messages"), DIRECTIONS, ids=IDS)
@given(data=st.data())
def test_round_trip(decoder: MessageDecoder[Any], messages: st.SearchStrategy[Any], data: st.DataObject) -> None:
    sent = data.draw(st.lists(messages, min_size=1, max_size=3))
    received = [message for plaintext in codec.encode(sent) for message in decoder.decode(plaintext)]
    assert received == sent
    assert [type(message) for message in received] == [type(message) for message in sent]


later_fields = st.lists(
    st.none() | st.booleans() | signed | st.floats() | st.text() | st.binary() | st.dictionaries(st.text(), signed),
    min_size=1,
    max_size=3,
)


@pytest.mark.parametrize(("decoder", "messages"), DIRECTIONS, ids=IDS)
@given(data=st.data())
def test_unknown_trailing_fields_are_ignored(
    decoder: MessageDecoder[Any], messages: st.SearchStrategy[Any], data: st.DataObject
) -> None:
    message = data.draw(messages)
    fields = msgspec.msgpack.decode(msgspec.msgpack.encode(message))
    assert len(fields) == 1 + len(message.__struct_fields__)  # so what is added stands behind the last field
    assert decoder.decode(msgspec.msgpack.encode([[*fields, *data.draw(later_fields)]])) == [message]


def test_a_tag_is_used_once_and_says_its_direction() -> None:
    tags = [message.__struct_config__.tag for message in (*REQUESTS, *REPLIES)]
    assert len(set(tags)) == len(tags)
    assert all(message.__struct_config__.tag < 100 for message in REQUESTS)
    assert all(message.__struct_config__.tag >= 100 for message in REPLIES)


def test_replies_stay_within_the_sizes_that_clients_reserve() -> None:
    """Sealed and framed, with every integer at its largest and eight purses."""
    large, text, eight = 2**63 - 1, max(Reason, key=len), (-(2**63),) * 8
    answer = Answer(99_999_999, large, Code.SYSTEM_MALFUNCTION, text, large, eight, eight, large)
    entry = StatementEntry(large, "balance-inquiry", Code.SYSTEM_MALFUNCTION, large, eight, 99_999_999, large)
    rejected = Rejected(99_999_999, large, Code.FORMAT_ERROR, text, 1_023, "x" * 400)
    sizes = {
        256: answer,
        4_096: Statement(99_999_999, large, eight, (entry,) * 20),
        512: rejected,
        128: SignedOn(Code.SYSTEM_MALFUNCTION, text, 1, large, large, 65_535, large, large),
    }
    for size, message in sizes.items():
        (plaintext,) = codec.encode([message])
        assert 2 + len(plaintext) + 16 <= size, type(message).__name__


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("account", "2026x"),
        ("account", "２０２６"),  # noqa: RUF001 - full-width digits
        ("account", "2026\n"),
        ("clerk", ""),
        ("clerk", "Wu Lei"),
        ("clerk", "wu\n"),
        ("clerk", "x" * 33),
        ("card", "C 1"),
        ("card", "C1\n"),
        ("card", "卡"),
        ("expires", 19991231),
        ("person_class", "guest"),
    ],
)
def test_what_an_operator_may_not_write_cannot_be_read(field: str, value: Any) -> None:
    good = OpenAccount(9201, 1, 1_000, "2026", "wu", "C1", 20300731, "student")
    (message,) = codec.request_decoder.decode(codec.encode([replace(good, **{field: value})])[0])
    assert isinstance(message, Unreadable)
    assert (message.terminal, message.stan) == (9201, 1)


@pytest.mark.parametrize("written", ["", "x" * 33, "Wu Lei", "g\n", "g/7", "赵"])
def test_batch_and_guardian_are_identifiers(written: str) -> None:
    for request in (
        GrantSubsidy(9201, 1, 1_000, "2026", "wu", written, 100, 20300731),
        BindFamily(9201, 1, 1_000, "2026", "wu", written),
    ):
        (message,) = codec.request_decoder.decode(codec.encode([request])[0])
        assert isinstance(message, Unreadable)


@pytest.mark.parametrize(
    "written", ["", "x" * 81, "two\nlines", "tab\there", "\x1b[31m", "\x9b31m", "a\u2028b", "end\n"]
)
def test_a_note_is_one_line_of_text(written: str) -> None:
    for request in (
        SettleSuspicion(9201, 1, 1_000, "2026", "wu", 1001, 12, Settlement.ACCEPT, written),
        ExplainGap(9201, 1, 1_000, "wu", 1001, 4, 6, written),
    ):
        (message,) = codec.request_decoder.decode(codec.encode([request])[0])
        assert isinstance(message, Unreadable)


@pytest.mark.parametrize("changes", [{"first": 0}, {"last": 0}, {"of_terminal": 0}, {"clerk": ""}, {"last": 2**63}])
def test_a_gap_that_cannot_be_read(changes: dict[str, Any]) -> None:
    request = replace(ExplainGap(9201, 1, 1_000, "wu", 1001, 4, 6, "seen"), **changes)
    (message,) = codec.request_decoder.decode(codec.encode([request])[0])
    assert isinstance(message, Unreadable)
    assert (message.terminal, message.stan) == (9201, 1)


@pytest.mark.parametrize("channel", [0, 4, -1])
def test_channel_that_there_is_not_cannot_be_read(channel: int) -> None:
    request = CreditFamily(9201, 1, 1_000, "2026", "wu", 100, channel)
    (message,) = codec.request_decoder.decode(codec.encode([request])[0])
    assert isinstance(message, Unreadable)
