"""`tapswitch operator`: the card office over the wire, in words, and one effect however often it is repeated."""

from __future__ import annotations

from itertools import count

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from simulators.operator_command import COMMANDS, operator
from wire.codes import Code, Reason
from wire.messages import (
    ActivateCard,
    Answer,
    BindFamily,
    CloseAccount,
    CorrectEntry,
    CorrectionReason,
    CreditFamily,
    ExplainGap,
    FeePayment,
    FindCard,
    FreezeCard,
    GrantSubsidy,
    IssueCard,
    OpenAccount,
    ReplaceCard,
    ReportLoss,
    ResetPin,
    ReviewLoss,
    SetExpiry,
    SetFamilyPolicy,
    SetLimits,
    Settlement,
    SettleSuspicion,
    UnbindFamily,
    UnfreezeCard,
)
from wire.pin import PinContext, PinUse, open_pin

ACCOUNT = "20260001"
NUMBERS = ("--of-terminal", "1001", "--first", "4", "--last", "6")


def run(serving, campus, *arguments, station="desk-1", typed=None):
    options = ["--connect", str(serving.address), "--campus", str(campus), "--station", station, "--clerk", "wu"]
    return CliRunner().invoke(operator, [*arguments, *options], input=typed)


HEAD = (9201, 77, 5_000, ACCOUNT, "wu")
SENT = [
    (["activate"], ActivateCard(*HEAD)),
    (["report-loss"], ReportLoss(*HEAD)),
    (["review-loss"], ReviewLoss(*HEAD)),
    (["found"], FindCard(*HEAD)),
    (["freeze"], FreezeCard(*HEAD)),
    (["unfreeze"], UnfreezeCard(*HEAD)),
    (["close"], CloseAccount(*HEAD)),
    (["replace", "--card", "C2"], ReplaceCard(*HEAD, "C2", FeePayment.PURSES)),
    (["replace", "--card", "C2", "--fee", "waived"], ReplaceCard(*HEAD, "C2", FeePayment.WAIVED)),
    (["issue", "--card", "C2", "--expires", "2031-07-31"], IssueCard(*HEAD, "C2", 20310731)),
    (["set-expiry", "--expires", "2028-02-29"], SetExpiry(*HEAD, 20280229)),
    (
        ["open", "--card", "C2", "--expires", "2031-07-31", "--class", "service-staff"],
        OpenAccount(*HEAD, "C2", 20310731, "service-staff"),
    ),
    (
        ["correct", "--amount", "-12.50", "--purse", "family", "--reason", "posted-twice"],
        CorrectEntry(*HEAD, 2, -1_250, CorrectionReason.POSTED_TWICE),
    ),
    (
        ["grant-subsidy", "--batch", "2026-09", "--amount", "120", "--last-day", "2026-12-31"],
        GrantSubsidy(*HEAD, "2026-09", 12_000, 20261231),
    ),
    (["bind-family", "--guardian", "g-7"], BindFamily(*HEAD, "g-7")),
    (["unbind-family"], UnbindFamily(*HEAD)),
    (["set-family-policy", "--day-max", "50", "--alert-above", "12.5"], SetFamilyPolicy(*HEAD, 5_000, 0, 1_250)),
    (["set-family-policy", "--purchase-max", "20"], SetFamilyPolicy(*HEAD, 0, 2_000, 0)),
    (["set-family-policy"], SetFamilyPolicy(*HEAD, 0, 0, 0)),
    (["set-limits", "--purchase-max", "20", "--day-max", "45.50"], SetLimits(*HEAD, 2_000, 4_550, 0, 0, 0)),
    (["set-limits", "--period-max", "30", "--period-count-max", "2"], SetLimits(*HEAD, 0, 0, 3_000, 0, 2)),
    (["set-limits", "--day-count-max", "5", "--day-max", "1000000"], SetLimits(*HEAD, 0, 100_000_000, 0, 5, 0)),
    (["set-limits", "--none"], SetLimits(*HEAD, 0, 0, 0, 0, 0)),
    (["credit-family", "--amount", "200", "--channel", "wallet"], CreditFamily(*HEAD, 20_000, 3)),
    (
        ["settle", "--original-terminal", "1001", "--original-stan", "12", "--how", "write-off", "--note", "left town"],
        SettleSuspicion(*HEAD, 1001, 12, Settlement.WRITE_OFF, "left town"),
    ),
    (["correct", "--amount", "3", "--reason", "goodwill"], CorrectEntry(*HEAD, 0, 300, CorrectionReason.GOODWILL)),
]


@pytest.mark.parametrize(("arguments", "request_"), SENT, ids=[" ".join(row[0]) for row in SENT])
def test_what_is_sent(serving, campus, arguments, request_):
    result = run(serving, campus, *arguments, ACCOUNT, "--stan", "77")
    assert serving.received == [request_]
    assert result.exit_code in {0, 1}
    assert not result.stderr


def test_every_command_is_tried():
    assert {row[0][0] for row in SENT} | {"reset-pin", "explain-gap"} == {command.name for command in COMMANDS}


def test_a_gap_is_explained_without_an_account(serving, campus):
    answers = iter([(Code.APPROVED, Reason.NONE), (Code.INVALID_TRANSACTION, Reason.RANGE_NOT_POSSIBLE)])
    serving.refuse = lambda request: Answer(request.terminal, request.stan, *next(answers), 0, (), ())
    arguments = ["explain-gap", *NUMBERS, "--note", "till was replaced", "--stan", "77"]
    noted = run(serving, campus, *arguments)
    assert (noted.exit_code, noted.stdout.strip()) == (0, "approved 00: explain-gap (terminal 9201, STAN 77)")
    assert serving.received == [ExplainGap(9201, 77, 5_000, "wu", 1001, 4, 6, "till was replaced")]
    refused = run(serving, campus, *arguments)
    assert refused.exit_code == 1
    assert refused.stdout.startswith("declined 12 range-not-possible: explain-gap (terminal 9201, STAN 77): the first")


@pytest.fixture
def noting(serving):
    """The fake switch, which approves whatever it is asked."""
    serving.refuse = lambda request: Answer(request.terminal, request.stan, Code.APPROVED, Reason.NONE, 0, (), ())
    return serving


LOST = ("--of-terminal", "1001", "--first", "4", "--last", "1795630899247872", "--note", "battery died", "--stan", "77")


def test_a_gap_of_more_numbers_needs_the_word_that_the_counter_was_lost(noting, campus):
    refused = run(noting, campus, "explain-gap", *LOST)
    assert (refused.exit_code, noting.received) == (2, [])
    assert "1,795,630,899,247,869 numbers, more than 10,000" in refused.stderr
    assert "add --lost-counter" in refused.stderr
    noted = run(noting, campus, "explain-gap", *LOST, "--lost-counter")
    assert (noted.exit_code, noted.stderr) == (0, "")
    assert noting.received == [ExplainGap(9201, 77, 5_000, "wu", 1001, 4, 1_795_630_899_247_872, "battery died")]


@pytest.mark.parametrize(("last", "status"), [("10003", 0), ("10004", 2)])
def test_so_many_numbers_need_no_further_word(noting, campus, last, status):
    result = run(noting, campus, "explain-gap", *NUMBERS, "--last", last, "--note", "seen", "--stan", "77")
    assert result.exit_code == status


def test_a_terminal_that_is_not_in_the_campus_file_is_pointed_out_and_sent(noting, campus):
    result = run(noting, campus, "explain-gap", *NUMBERS, "--of-terminal", "1002", "--note", "seen", "--stan", "77")
    assert result.exit_code == 0
    assert result.stderr == "note: --of-terminal 1002 is no terminal of the campus file; it is sent all the same\n"
    assert noting.received == [ExplainGap(9201, 77, 5_000, "wu", 1002, 4, 6, "seen")]


def test_first_pin_is_typed_and_leaves_sealed(serving, campus):
    result = run(serving, campus, "reset-pin", ACCOUNT, "--stan", "77", typed="141421\n141421\n")
    assert (result.exit_code, "141421" in result.output) == (0, False)
    (request,) = serving.received
    assert replace(request, new_pin=b"") == ResetPin(*HEAD, b"")
    assert open_pin(request.new_pin, bytes([0x55]) * 32, PinContext(PinUse.NEW, 9201, 77, ACCOUNT)) == "141421"


def test_first_pin_that_is_easy_to_guess(serving, campus):
    result = run(serving, campus, "reset-pin", ACCOUNT, "--pin", "123456")
    assert result.exit_code == 1
    assert "declined 55 pin-weak" in result.stdout
    assert "that PIN is easy to guess" in result.stdout


@pytest.mark.parametrize(
    ("pin", "terminal", "message"),
    [("14142", 9201, "six digits"), ("14142a", 9201, "six digits"), ("141421", 9202, "[pin.terminals]")],
)
def test_first_pin_that_cannot_be_sent(serving, campus, pin, terminal, message):
    result = run(serving, campus, "reset-pin", ACCOUNT, "--pin", pin, "--terminal", str(terminal))
    assert (result.exit_code, serving.received) == (2, [])
    assert message in result.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "give the limits that shall hold, or --none"),
        (["--none", "--day-max", "20"], "--none takes all limits back; give no other beside it"),
        (["--day-count-max", "2.5"], "not a valid integer"),
        (["--day-count-max", str(2**64)], "not in the range"),
        (["--period-count-max", "-1"], "not in the range"),
        (["--purchase-max", "20.005"], "not an amount"),
        (["--purchase-max", "-1"], "not an amount"),
        (["--day-max", "1000000.01"], "1000000.01 is more than 1000000.00 yuan"),
        (["--day-max", "0"], "a limit of 0 would be no limit: leave it out, or give --none to take all back"),
        (["--day-max", "20", "--period-count-max", "0"], "`tapswitch operator freeze` keeps a card from paying"),
    ],
)
def test_limits_that_cannot_be_sent(serving, campus, options, message):
    result = run(serving, campus, "set-limits", ACCOUNT, *options)
    assert (result.exit_code, serving.received) == (2, [])
    assert message in result.stderr


@pytest.mark.parametrize("limit", [["--day-max", "-1"], ["--alert-above", "1000000.01"]])
def test_a_guardians_limits_that_cannot_be_sent(serving, campus, limit):
    result = run(serving, campus, "set-family-policy", ACCOUNT, *limit)
    assert (result.exit_code, serving.received) == (2, [])
    assert limit[0] in result.stderr


def test_a_cards_life(serving, campus):
    stans = count(1)

    def said(*arguments, station="desk-1"):
        result = run(serving, campus, *arguments, ACCOUNT, "--stan", str(next(stans)), station=station)
        return result.exit_code, result.stdout.strip()

    def where(stan, terminal=9201):
        return f"{ACCOUNT} (terminal {terminal}, STAN {stan})"

    others = "subsidy 0.00, family 0.00"
    assert said("report-loss") == (0, f"approved 00: report-loss {where(1)}")
    assert said("found") == (1, f"declined 12 not-reviewed: found {where(2)}: the loss must be reviewed first")
    assert said("review-loss") == (0, f"approved 00: review-loss {where(3)}; main 100.00, {others}")
    assert said("replace", "--card", "C2") == (0, f"approved 00: replace {where(4)}; main 85.00, {others}")
    assert said("activate") == (0, f"approved 00: activate {where(5)}; main 85.00, {others}")
    assert said("freeze", station="desk-2") == (
        1,
        f"declined 57 beyond-role: freeze {where(6, 9301)}: the role of this station does not permit the command",
    )


def test_answer_that_is_lost_is_asked_for_again_with_the_same_stan(serving, campus, quick):
    lost = iter([None, Answer(9201, 77, Code.SYSTEM_MALFUNCTION, Reason.OUTCOME_UNKNOWN, 0, (), ())])
    serving.interfere = lambda _request, answer: next(lost, answer)
    result = run(serving, campus, "freeze", ACCOUNT, "--stan", "77")
    assert (result.exit_code, serving.received) == (0, [FreezeCard(*HEAD)] * 3)
    assert len(serving.recorded) == 1


def test_command_that_is_never_answered_may_be_given_again(serving, campus, quick, switch_time_us):
    serving.interfere = lambda _request, _answer: None
    result = run(serving, campus, "freeze", ACCOUNT)
    again = f"give the same command again with --stan {switch_time_us}"
    assert (result.exit_code, len(serving.received)) == (1, 3)
    assert result.stdout.startswith("unknown: freeze")
    assert result.stdout.strip().endswith(f"no answer; {again}")


def test_a_switch_that_is_lost_after_the_first_copy_is_not_waited_for_for_ever(serving, campus, quick):
    def lose(_request, _answer):
        serving.keys = {}  # whoever comes back is a stranger
        serving.drop_connections()

    serving.interfere = lose
    result = run(serving, campus, "freeze", ACCOUNT, "--stan", "77")
    assert (result.exit_code, len(serving.received)) == (1, 1)
    assert "unknown: freeze" in result.stdout


def test_busy_after_a_copy_without_an_answer_is_not_certain(serving, campus, quick):
    busy = Answer(9201, 77, Code.TRY_AGAIN, Reason.BUSY_SHARD, 0, (), ())
    answers = iter([None, busy, busy])
    serving.interfere = lambda _request, _answer: next(answers)
    result = run(serving, campus, "freeze", ACCOUNT, "--stan", "77")
    assert result.exit_code == 1
    assert "unknown: freeze" in result.stdout
    assert "91 busy-shard; give the same command again with --stan 77" in result.stdout


ITEM = ("--original-terminal", "1001", "--original-stan", "12")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["found", "2" * 20], f"account: '{'2' * 20}': expected 1 to 19 digits"),
        (["found", ""], "account: '': expected 1 to 19 digits"),
        (["open", "2026x", "--card", "C", "--expires", "2031-07-31", "--class", "student"], "account"),
        (["open", ACCOUNT, "--card", "C 2", "--expires", "2031-07-31", "--class", "student"], "without spaces"),
        (["open", ACCOUNT, "--card", "C", "--expires", "2031-02-30", "--class", "student"], "YYYY-MM-DD|such|no day"),
        (["open", ACCOUNT, "--card", "C", "--expires", "1999-12-31", "--class", "student"], "a day from 2000-01-01"),
        (["open", ACCOUNT, "--card", "C", "--expires", "2031-07-31", "--class", "guest"], "guest"),
        (["open", ACCOUNT, "--card", "C", "--expires", "2031-07-31"], "--class"),
        (["replace", ACCOUNT], "--card"),
        (["correct", ACCOUNT, "--amount", "1,5", "--reason", "goodwill"], "1,5"),
        (["correct", ACCOUNT, "--amount", "--5", "--reason", "goodwill"], "-5"),
        (["correct", ACCOUNT, "--amount", "5", "--reason", "because"], "because"),
        (["freeze", ACCOUNT, "--stan", "0"], "--stan"),
        (["freeze", ACCOUNT, "--clerk", "Wu Lei"], "clerk: 'Wu Lei': expected 1 to 32 of the characters a-z"),
        (["freeze", ACCOUNT, "--station", "nobody"], "--station nobody"),
        (["freeze", ACCOUNT, "--station", "till-1"], "no operator station"),
        (["freeze", ACCOUNT, "--connect", "nowhere"], "--connect"),
        (["freeze", ACCOUNT, "--campus", "missing.toml"], "missing.toml"),
        (
            ["grant-subsidy", ACCOUNT, "--batch", "a b", "--amount", "1", "--last-day", "2026-12-31"],
            "batch: 'a b': expected 1 to 24",
        ),
        (["grant-subsidy", ACCOUNT, "--batch", "b", "--amount", "1", "--last-day", "soon"], "no day"),
        (["bind-family", ACCOUNT, "--guardian", "Wu Lei"], "guardian: 'Wu Lei': expected 1 to 32"),
        (["credit-family", ACCOUNT, "--amount", "1", "--channel", "gift"], "gift"),
        (["settle", ACCOUNT, *ITEM, "--how", "forgive", "--note", "seen"], "forgive"),
        (["settle", ACCOUNT, *ITEM, "--how", "accept"], "--note"),
        (["settle", ACCOUNT, *ITEM, "--how", "accept", "--note", ""], "note"),
        (["settle", ACCOUNT, *ITEM, "--how", "accept", "--note", "x" * 81], "expected one line of 1 to 80 characters"),
        (["settle", ACCOUNT, *ITEM, "--how", "accept", "--note", "two\nlines"], "note"),
        (["settle", ACCOUNT, *ITEM, "--how", "accept", "--note", "\udcff"], "note"),
        (["explain-gap", *NUMBERS, "--note", "two\nlines"], "expected one line of 1 to 80 characters"),
        (["explain-gap", *NUMBERS], "--note"),
        (["explain-gap", *NUMBERS, "--first", "7", "--note", "seen"], "--first 7 is above --last 6"),
        (["explain-gap", *NUMBERS, "--first", "0", "--note", "seen"], "--first"),
        (["explain-gap", *NUMBERS, "--of-terminal", "0", "--note", "seen"], "--of-terminal"),
        (["explain-gap", *NUMBERS, "--note", "seen", ACCOUNT], "unexpected"),
        (["settle", ACCOUNT, "--original-stan", "1", "--how", "accept", "--note", "seen"], "--original-terminal"),
        (["settle", ACCOUNT, *ITEM, "--original-stan", "0", "--how", "accept", "--note", "seen"], "--original-stan"),
        (["melt", ACCOUNT], "melt"),
    ],
)
def test_bad_input(campus, arguments, message):
    options = ["--connect", "127.0.0.1:1", "--campus", str(campus), "--station", "desk-1", "--clerk", "wu"]
    command, *rest = arguments
    result = CliRunner().invoke(operator, [command, *options, *rest])
    assert result.exit_code == 2, result.output
    assert any(part in result.stderr for part in message.split("|"))


def test_a_switch_that_says_nothing(campus, quick, silent):
    options = ["--connect", str(silent), "--campus", str(campus), "--station", "desk-1", "--clerk", "wu"]
    result = CliRunner().invoke(operator, ["freeze", ACCOUNT, *options])
    assert result.exit_code == 1
    said = f"{silent}, station desk-1: connected, but nothing came from the switch; nothing was sent"
    assert result.stderr == f"Error: {said}\n"


def test_nobody_listens(campus, quick):
    options = ["--connect", "127.0.0.1:1", "--campus", str(campus), "--station", "desk-1", "--clerk", "wu"]
    result = CliRunner().invoke(operator, ["freeze", ACCOUNT, *options])
    assert result.exit_code == 1
    assert "127.0.0.1:1" in result.stderr
    assert "nothing was sent" in result.stderr
