"""`tapswitch operator grant-batch`: every mistake is named before anything is sent, and no run grants twice."""

from __future__ import annotations

import csv

import pytest
from click.testing import CliRunner

from simulators import grant_batch as grant_batch_module
from simulators import operator as operator_module
from simulators.bad_input import BadInputError
from simulators.batch_file import BatchRow, read_batch
from simulators.operator_command import operator
from wire.codes import Code, Reason
from wire.messages import Answer, GrantSubsidy

ACCOUNT = "20260001"
GOOD = f"account,amount\n{ACCOUNT},120.50\n20260002,80\n"


@pytest.fixture
def file(tmp_path):
    return tmp_path / "batch.csv"


@pytest.fixture
def quick_batch(quick, monkeypatch):
    monkeypatch.setattr(grant_batch_module, "TIME_OUT_SECONDS", 0.05)
    monkeypatch.setattr(grant_batch_module, "RETRY_SECONDS_MIN", 0.0)


def run(serving, campus, file, *more, station="desk-1"):
    arguments = [
        "grant-batch", str(file), "--batch", "2026-09", "--last-day", "2099-12-31", "--connect", str(serving.address),
        "--campus", str(campus), "--station", station, "--clerk", "wu", *more,
    ]  # fmt: skip
    return CliRunner().invoke(operator, arguments)


def results(file):
    with file.with_name("batch.csv.result.csv").open(encoding="utf-8", newline="") as lines:
        header, *rows = csv.reader(lines)
    assert header == ["line", "account", "amount", "result", "code", "reason"]
    return sorted(rows)


def test_every_account_has_its_line_and_a_second_run_grants_nothing(serving, campus, file):
    file.write_text(GOOD)
    first = run(serving, campus, file)
    assert first.exit_code == 1
    assert first.stdout.startswith("1 granted, 0 granted before, 1 refused; see ")
    refused = ["3", "20260002", "80.00", "refused", "14", "no-account"]
    assert results(file) == [["2", ACCOUNT, "120.50", "granted", "00", ""], refused]
    serving.time_us += 10_000
    second = run(serving, campus, file)
    assert second.stdout.startswith("0 granted, 1 granted before, 1 refused")
    assert results(file) == [["2", ACCOUNT, "120.50", "granted before", "12", "granted-before"], refused]
    grants = [request for request in serving.received if request.account == ACCOUNT]
    assert len({request.stan for request in grants}) == 2
    assert all((grant.batch, grant.amount, grant.last_day) == ("2026-09", 12_050, 20991231) for grant in grants)


def test_only_good_lines_make_exit_status_0(serving, campus, file):
    file.write_text(f"amount,account\n1,{ACCOUNT}\n")
    assert run(serving, campus, file).exit_code == 0
    assert run(serving, campus, file).exit_code == 0


def test_desks_of_the_station_share_the_work_and_no_stan_is_used_twice(serving, campus, file):
    file.write_text("account,amount\n" + "".join(f"2027{number:04},1\n" for number in range(60)))
    run(serving, campus, file)
    assert len({(request.terminal, request.stan) for request in serving.received}) == 60
    assert {request.terminal for request in serving.received} == {9201, 9202, 9203}
    assert len(results(file)) == 60
    serving.received.clear()
    run(serving, campus, file, "--terminal", "9202")
    assert {request.terminal for request in serving.received} == {9202}


def test_lost_and_busy_answers_are_asked_for_again(serving, campus, file, quick_batch):
    busy = Answer(9201, 1, Code.TRY_AGAIN, Reason.BUSY_TERMINAL, 0, (), ())
    late = Answer(9201, 1, Code.SYSTEM_MALFUNCTION, Reason.OUTCOME_UNKNOWN, 0, (), ())
    answers = iter([None, busy, late])

    def interfere(request, answer):
        told = next(answers, answer)
        return told and Answer(request.terminal, request.stan, told.code, told.reason, 0, (), ())

    serving.interfere = interfere
    file.write_text(f"account,amount\n{ACCOUNT},1\n")
    assert run(serving, campus, file).exit_code == 0
    assert len(serving.received) == 4
    assert len(set(serving.received)) == 1
    assert results(file) == [["2", ACCOUNT, "1.00", "granted", "00", ""]]


def test_switch_that_goes_silent_ends_the_run_and_the_next_one_finishes_it(
    serving,
    campus,
    file,
    quick_batch,
):
    file.write_text("account,amount\n" + "".join(f"2027{number:04},1\n" for number in range(9)))
    answered = iter(range(4))
    serving.interfere = lambda _request, answer: answer if next(answered, None) is not None else None
    result = run(serving, campus, file, "--terminal", "9201")
    assert result.exit_code == 1
    assert "5 of 9 accounts are left: account 20270004: no decision" in result.stderr
    assert "run the same command again, it grants nothing twice" in result.stderr
    assert len(results(file)) == 4
    serving.interfere = lambda _request, answer: answer
    run(serving, campus, file)
    assert len(results(file)) == 9


def test_role_that_does_not_permit_it_ends_the_run_at_once(serving, campus, file):
    file.write_text(GOOD)
    result = run(serving, campus, file, station="desk-2")
    assert result.exit_code == 1
    assert "57 beyond-role: the role of this station does not permit it; take a --station whose role" in result.stderr
    assert "run the same command again" not in result.stderr
    assert len(serving.received) == 1


@pytest.mark.parametrize(
    ("code", "reason", "what_to_do"),
    [
        (Code.NOT_PERMITTED_TO_TERMINAL, Reason.SERVICE_NOT_OFFERED, "compare its campus.toml with this one"),
        (Code.SECURITY, Reason.TERMINAL_NOT_OF_STATION, "take another --station or --terminal"),
        (Code.FORMAT_ERROR, Reason.UNREADABLE, "is it of another version than this one?"),
    ],
)
def test_what_no_further_command_would_mend_ends_the_run_and_says_what_will(
    serving, campus, file, code, reason, what_to_do
):
    serving.refuse = lambda request: Answer(request.terminal, request.stan, code, reason, 0, (), ())
    file.write_text(GOOD)
    result = run(serving, campus, file)
    assert result.exit_code == 1
    assert f"refused {code:02d} {reason.value}: " in result.stderr
    assert what_to_do in result.stderr
    assert "run the same command again" not in result.stderr


def test_nobody_listens(campus, file, quick_batch, monkeypatch):
    monkeypatch.setattr(operator_module, "CONNECT_SECONDS", 0.3)
    file.write_text(GOOD)

    class Nowhere:
        address = "127.0.0.1:1"

    result = run(Nowhere, campus, file)
    assert result.exit_code == 1
    assert "nothing was sent" in result.stderr


MISTAKES = [
    ("", "no accounts"),
    ("account,amount\n", "no accounts"),
    ("account\n1\n", "line 1: expected the columns account and amount, found account"),
    ("account,amount,name\n1,2,3\n", "line 1: expected the columns"),
    ("account,amount\n1,1\nx1,1\n", "line 3: account: 'x1' is no account number"),
    ("account,amount\n,1\n", "line 2: account"),
    (f"account,amount\n{'1' * 20},1\n", "line 2: account"),
    ("account,amount\n1,1\n\n1,2\n", "line 4: account: 1 already stands in line 2"),
    ("account,amount\n1,0\n", "line 2: amount: 0 is not between"),
    ("account,amount\n1,-5\n", "line 2: amount"),
    ("account,amount\n1,1.234\n", "line 2: amount"),
    ("account,amount\n1,1000000.01\n", "line 2: amount: 1000000.01 is not between"),
    ("account,amount\n1\n", "line 2: expected 2 fields, found 1"),
    ("account,amount\n1,2,3\n", "line 2: expected 2 fields, found 3"),
    ('account,amount\n"1,2\n', "line 2: unexpected end of data"),
]


@pytest.mark.parametrize(("text", "mistake"), MISTAKES)
def test_mistake_in_the_file_is_named_and_nothing_is_sent(serving, campus, file, text, mistake):
    file.write_text(text)
    result = run(serving, campus, file)
    assert result.exit_code == 2
    assert mistake in result.stderr
    assert serving.received == []
    assert not file.with_name("batch.csv.result.csv").exists()


def test_every_mistake_is_named_at_once(file):
    file.write_text("account,amount\nx,0\n1,1\n1,y\n")
    with pytest.raises(BadInputError) as raised:
        read_batch(file)
    assert [line.split(": ", 2)[1:] for line in str(raised.value).splitlines()] == [
        ["line 2", "account: 'x' is no account number; expected 1 to 19 digits"],
        ["line 2", "amount: 0 is not between 0.01 and 1000000.00"],
        ["line 4", "account: 1 already stands in line 3"],
        ["line 4", "amount: 'y' is not an amount in yuan; write it like 12.50"],
    ]


@pytest.mark.parametrize("data", [b"\xff\xff\xff", b"account,amount\n1,1\n\x81"])
def test_file_of_another_encoding(file, data):
    file.write_bytes(data)
    with pytest.raises(BadInputError, match="UTF-8"):
        read_batch(file)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_file_that_a_spreadsheet_wrote(file, encoding):
    file.write_bytes(" Account , AMOUNT\r\n007, 12.5\r\n\r\n8,1\r\n".encode(encoding))
    assert read_batch(file) == [BatchRow(2, "007", 1_250), BatchRow(4, "8", 100)]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--batch", "a b"], "batch"),
        (["--last-day", "2026-02-30"], "no day"),
        (["--result", "missing/folder.csv"], "--result"),
        (["--station", "till-1"], "no operator station"),
        (["--clerk", "Wu"], "clerk"),
    ],
)
def test_bad_options(serving, campus, file, more, message):
    file.write_text(GOOD)
    result = run(serving, campus, file, *more)
    assert (result.exit_code, serving.received) == (2, [])
    assert message in result.stderr


def test_file_that_is_not_there(serving, campus, file):
    result = run(serving, campus, file)
    assert result.exit_code == 2
    assert "cannot be read" in result.stderr


def test_what_is_sent_is_a_grant(serving, campus, file):
    file.write_text(f"account,amount\n{ACCOUNT},120.50\n")
    run(serving, campus, file)
    (sent,) = serving.received
    assert sent == GrantSubsidy(9201, sent.stan, 5_000, ACCOUNT, "wu", "2026-09", 12_050, 20991231)
