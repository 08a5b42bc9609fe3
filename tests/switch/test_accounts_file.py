import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.account.card import CardState, PersonClass
from switch.accounts_file import AccountRow, AccountsFileError, read_accounts

HEADER = "account,card,state,expires,class,balance\n"
ROW = "20260001,C0020260001,active,2030-07-31,student,120.00\n"
EXPECTED = AccountRow(2, "20260001", "C0020260001", CardState.ACTIVE, 20_300_731, PersonClass.STUDENT, (12_000,))


@pytest.fixture
def accounts_file(tmp_path):
    return tmp_path / "accounts.csv"


def read(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_accounts(path)


def mistakes(path, text):
    with pytest.raises(AccountsFileError) as raised:
        read(path, text)
    assert all(line.startswith(f"{path}: ") for line in str(raised.value).splitlines())
    return list(raised.value.mistakes)


def test_a_row_is_read(accounts_file):
    assert read(accounts_file, HEADER + ROW) == [EXPECTED]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "gb18030 with byte order mark"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_encodings_and_chinese_titles(accounts_file, encoding, newline):
    text = "姓名,余额,身份,有效期,状态,卡号,账号\n张三丰,120.00,student,2030-07-31,active,C0020260001,20260001\n"
    if encoding.endswith("mark"):
        data = ("\ufeff" + text).replace("\n", newline).encode("gb18030")
    else:
        data = text.replace("\n", newline).encode(encoding)
    assert read(accounts_file, data) == [EXPECTED]


@pytest.mark.parametrize(
    ("titles", "values", "purses"),
    [
        ("balance,subsidy,family", "120.00,5.00,30.00", (12_000, 500, 3_000)),
        ("balance,family", "120.00,30.00", (12_000, 0, 3_000)),
        ("balance,subsidy", "120.00,5.00", (12_000, 500)),
        ("亲情,余额,补贴", "30.00,120.00,5.00", (12_000, 500, 3_000)),
        ("balance,subsidy,family", "120.00,0.00,0", (12_000,)),
    ],
)
def test_other_purses(accounts_file, titles, values, purses):
    about, row = HEADER.removesuffix("balance\n"), ROW.removesuffix("120.00\n")
    assert read(accounts_file, f"{about}{titles}\n{row}{values}\n") == [
        msgspec.structs.replace(EXPECTED, purses=purses)
    ]


def test_columns_in_any_order_spaces_blank_lines_and_quotes(accounts_file):
    header = "\nBalance, card ,state,expires,class,account,name\n\n"
    text = header + '120,C0020260001,active,2030-07-31,student, 20260001 ,"A\nB"\n\n'
    [row] = read(accounts_file, text)
    assert row == msgspec.structs.replace(EXPECTED, line=4)


@pytest.mark.parametrize("state", CardState)
@pytest.mark.parametrize("person_class", PersonClass)
def test_every_state_and_class(accounts_file, state, person_class):
    [row] = read(accounts_file, HEADER + f"1,C1,{state.value},2030-07-31,{person_class.value},0\n")
    assert (row.state, row.person_class) == (state, person_class)


@pytest.mark.parametrize(
    ("column", "text", "expected"),
    [
        ("account", "", "is empty"),
        ("account", "2026A", "1 to 19 digits"),
        ("account", "2.03E+07", "1 to 19 digits"),
        ("account", "1" * 20, "1 to 19 digits"),
        ("account", "１２", "1 to 19 digits"),  # noqa: RUF001 - full-width digits are the case
        ("card", "", "is empty"),
        ("card", "C" * 21, "1 to 20 ASCII"),
        ("card", "卡1", "1 to 20 ASCII"),
        ("card", "C 1", "1 to 20 ASCII"),
        ("state", "", "is empty"),
        ("state", "Active", "expected one of issued, active"),
        ("expires", "", "is empty"),
        ("expires", "2030/7/31", "expected YYYY-MM-DD"),
        ("expires", "20300731", "expected YYYY-MM-DD"),
        ("expires", "2030-02-30", "expected YYYY-MM-DD"),
        ("expires", "0000-01-01", "expected YYYY-MM-DD"),
        ("class", "", "is empty"),
        ("class", "pupil", "expected one of student"),
        ("balance", "", "is empty"),
        ("balance", "-0.01", "is negative"),
        ("balance", "1.234", "at most two decimals"),
        ("balance", "1e3", "at most two decimals"),
        ("balance", "nan", "at most two decimals"),
        ("balance", "1000000.01", "at most 1000000.00"),
    ],
)
def test_a_bad_value_is_named_by_line_and_column(accounts_file, column, text, expected):
    values = {**dict(zip(HEADER.strip().split(","), ROW.strip().split(","), strict=True)), column: text}
    [mistake] = mistakes(accounts_file, HEADER + ",".join(values.values()) + "\n")
    assert mistake.startswith(f"line 2: {column}: ")
    assert expected in mistake


def test_every_bad_row_is_named_and_no_good_one(accounts_file):
    text = HEADER + ROW + "x,C2,active,2030-07-31,nobody,1\n" + "3,C3,active,2030-07-31,staff,1\n" + "4,C4\n"
    assert [mistake.rsplit(":", 1)[0] for mistake in mistakes(accounts_file, text)] == [
        "line 3: account",
        "line 3: class",
        "line 5: row",
    ]


def test_duplicates_name_both_lines(accounts_file):
    text = HEADER + ROW + "20260001,C2,active,2030-07-31,student,1\n" + "3,C0020260001,bad,2030-07-31,student,1\n"
    found = mistakes(accounts_file, text)
    assert "line 3: account: '20260001' stands in line 2 too; expected each once" in found
    assert "line 4: card: 'C0020260001' stands in line 2 too; expected each once" in found


def test_leading_zeros_make_another_account(accounts_file):
    assert len(read(accounts_file, HEADER + ROW + "020260001,C2,active,2030-07-31,student,1\n")) == 2


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("account,card,state,expires,class", "column 'balance' is missing"),
        ("account,card,state,expires,class,balance,phone", "unknown column 'phone'"),
        ("account,card,state,expires,class,balance,账号", "column 'account' stands there twice"),
        ("account;card;state;expires;class;balance", "unknown column"),
    ],
)
def test_a_wrong_header_is_refused_before_any_row(accounts_file, header, expected):
    found = mistakes(accounts_file, f"{header}\n{ROW}")
    assert all(mistake.startswith("line 1: header: ") for mistake in found)
    assert any(expected in mistake for mistake in found)


@pytest.mark.parametrize(
    ("text", "expected"), [("", "header: is missing"), ("\n\n", "header: is missing"), (HEADER, "no accounts")]
)
def test_an_empty_file_is_refused(accounts_file, text, expected):
    [mistake] = mistakes(accounts_file, text)
    assert expected in mistake


def test_nul_bytes_are_refused(accounts_file):
    text = HEADER.strip() + ",name\n" + ROW.strip() + ",a\0b\n"
    assert mistakes(accounts_file, text) == ["line 2: row: holds a NUL byte; expected text in UTF-8 or GB18030"]


def test_undecodable_bytes_are_named_by_line(accounts_file):
    found = mistakes(accounts_file, (HEADER + ROW).encode() + b"3,\xff\xff,active\n")
    assert found[:2] == ["line 3: encoding: not UTF-8", "line 3: encoding: not GB18030"]
    assert mistakes(accounts_file, (HEADER + ROW).encode("utf-16"))[0].startswith("line 1: encoding")


@pytest.mark.parametrize("row", ['"20260001"x,C1,active,2030-07-31,student,1\n', '2,"C1'])
def test_broken_quotes_are_named_by_line(accounts_file, row):
    found = mistakes(accounts_file, HEADER + ROW + row)
    assert [mistake.startswith("line 3: row: not CSV") for mistake in found] == [True]


def test_an_endless_field_is_refused(accounts_file):
    assert mistakes(accounts_file, HEADER + "9" * 200_000 + ROW)[0].startswith("line 2: row: not CSV")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(AccountsFileError, match="cannot be read: No such file"):
        read_accounts(tmp_path / "accounts.csv")


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("any") / "accounts.csv"
    with pytest.raises(AccountsFileError):
        read(path, HEADER.encode() + data.replace(b"active", b""))
