"""`tapswitch operator`: what the card office does with cards and accounts, over the wire, as an operator station."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from typing import Any

import click
import uvloop

from simulators.bad_input import BadInputError
from simulators.campus import PERSON_CLASSES, PURSES
from simulators.desk import Day, Desk, check_readable, desk_of, desk_options
from simulators.grant_command import GRANT_BATCH
from simulators.money import AMOUNT_MAX, format_yuan, parse_yuan
from simulators.operator import WAIT_MS, Given, OperatorError, OperatorRequest, give
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
    Rejected,
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
from wire.pin import PIN_NONCE_BYTES, PinContext, PinUse, seal_pin

IN_WORDS: Mapping[Reason, str] = {
    Reason.REVERSED: "this command was reversed",
    Reason.AMOUNT_OUT_OF_RANGE: "an amount is zero, below zero, or above 1,000,000.00 yuan; a limit may be zero",
    Reason.ACCOUNT_EXISTS: "an account has this number already",
    Reason.CARD_ACTIVE: "the card is active already",
    Reason.CARD_GOOD: "the card has not expired, so there is no reason for a new one",
    Reason.CARD_USED: "this serial is, or was, a card of the account; a dead card never works again",
    Reason.CARDS_USED_UP: "the account has had as many cards as it may",
    Reason.BATCHES_USED_UP: "the account was granted as many batches as it may",
    Reason.CLERK_MISSING: "nobody is named as the clerk",
    Reason.EXPIRY_NOT_POSSIBLE: "that day does not exist, or is over",
    Reason.FAMILY_BOUND: "the account has a guardian already",
    Reason.GRANTED_BEFORE: "the account was granted this batch before",
    Reason.LOSS_REVIEWED: "the loss was reviewed already",
    Reason.NO_FAMILY: "the account has no guardian",
    Reason.NOT_A_STUDENT: "only a student's account can have a guardian",
    Reason.NOT_FROZEN: "the card is not frozen",
    Reason.NOT_LOST: "the card is not reported lost",
    Reason.NOT_REVIEWED: "the loss must be reviewed first",
    Reason.NOT_SUSPICIOUS: "that was posted clean, or not posted: there is nothing to settle",
    Reason.NOT_WHOLE_YUAN: "a guardian's money comes in whole yuan",
    Reason.NOTHING_OWED: "it owes nothing, so there is nothing to collect or write off; accept it",
    Reason.ORIGINAL_NOT_FOUND: "the account has nothing with this terminal and STAN",
    Reason.ORIGINAL_REVERSED: "its terminal has reversed it: it owes nothing any more",
    Reason.ORIGINAL_SETTLED: "it was settled before",
    Reason.OWED: "money of it is missing in suspense; collect it, or write it off",
    Reason.PIN_NOT_OFFERED: "the switch has no key for this terminal's PINs",
    Reason.PIN_UNREADABLE: "the switch has another key for this terminal's PINs",
    Reason.PIN_WEAK: "that PIN is easy to guess",
    Reason.PURSES_NOT_EMPTY: "there is money in the account; pay it out first",
    Reason.HOLDS_OUTSTANDING: "something is held for a merchant; it is captured, released, or expires",
    Reason.RANGE_NOT_POSSIBLE: "the first number is above the last",
    Reason.SUBSIDY_NOT_PAID_OUT: "a subsidy is never paid out",
    Reason.NO_ACCOUNT: "no account has this number",
    Reason.CARD_LOST: "the card is reported lost",
    Reason.CARD_EXPIRED: "the card has expired",
    Reason.CARD_NOT_ACTIVE: "the card is not active yet",
    Reason.CARD_FROZEN: "the card is frozen; unfreeze it first",
    Reason.CARD_REPLACED: "the card was given up; issue a new one",
    Reason.ACCOUNT_CLOSED: "the account is closed",
    Reason.FUNDS: "there is not enough money",
    Reason.TOP_UP_LIMIT: "that is more than may come in at once",
    Reason.BALANCE_LIMIT: "the purse would hold more than it may",
    Reason.BEYOND_ROLE: "the role of this station does not permit the command",
    Reason.SERVICE_NOT_OFFERED: "this is no terminal of an operator",
    Reason.TERMINAL_NOT_OF_STATION: "the station may not speak for this terminal",
    Reason.CONTENT_DIFFERS: "this STAN was used for another command; what that came to stands",
}


_TERMINAL = click.IntRange(1, 99_999_999)
_COUNTER = click.IntRange(1, 2**63 - 1)
_NOTE = click.Option(
    ["--note"], required=True, metavar="TEXT", help="Why, in 1 to 80 characters. It is kept for ever: name nobody."
)
NUMBERS_MAX = 10_000
"""Offline numbers that one command explains without a further word: a slip must not hide what will be missing later."""

CHANNELS = ("cash", "bank", "wallet")


class _SignedYuan(click.ParamType[int, str]):
    name = "YUAN"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            amount = parse_yuan(value.removeprefix("-"))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return -amount if value.startswith("-") else amount


class _LimitYuan(click.ParamType[int, str]):
    name = "YUAN"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            amount = parse_yuan(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if amount > AMOUNT_MAX:
            self.fail(f"{value} is more than {format_yuan(AMOUNT_MAX)} yuan, and no amount can be", param, ctx)
        return amount


_COUNT = click.IntRange(0, 100_000_000)
_CARD = click.Option(["--card"], required=True, metavar="SERIAL", help="The new card's serial.")
_EXPIRES = click.Option(["--expires"], required=True, type=Day(), help="The card's last day.")


def office_command(
    name: str,
    request: Callable[..., OperatorRequest],
    text: str,
    *fields: click.Option,
    prepare: Callable[[Desk, int, str, list[Any]], list[Any]] = lambda _desk, _stan, _account, given: given,
    doubt: Callable[[Desk, list[Any]], str] = lambda _desk, _given: "",
    needs_account: bool = True,
) -> click.Command:
    """The sub-command that sends `request`; `fields` are its own fields in their order, those after the clerk.

    `prepare`: (desk, STAN, account, what was given for the fields) → the fields. Raises BadInputError.
    `doubt`: (desk, what was given for the fields) → what may be a slip, and is said, but sent all the same; or nothing.
    """
    names = [field.name or "" for field in fields]

    def callback(stan: int | None, account: str = "", **options: Any) -> None:
        given = [options.pop(field) for field in names]
        try:
            desk = desk_of(**options)

            def request_with(number: int) -> OperatorRequest:
                own = prepare(desk, number, account, given)
                about = [account] if needs_account else []
                return request(desk.terminal, number, WAIT_MS, *about, desk.clerk, *own)

            check_readable(request_with(1))
        except BadInputError as error:
            raise click.UsageError(str(error)) from error

        if doubtful := doubt(desk, given):
            click.echo(doubtful, err=True)
        try:
            outcome = uvloop.run(give(desk.address, desk.station, desk.key, request_with, stan))
        except OperatorError as error:
            raise click.ClickException(f"{error}; nothing was sent") from error
        click.echo(_in_words(name, outcome))
        approved = isinstance(outcome.reply, Answer) and outcome.reply.code is Code.APPROVED
        raise SystemExit(0 if approved else 1)

    params = [*([click.Argument(["account"])] if needs_account else []), *fields, *desk_options()]
    return click.Command(name, params=params, callback=callback, help=text)


def _in_words(name: str, outcome: Given) -> str:
    request, reply = outcome.request, outcome.reply
    about = "" if isinstance(request, ExplainGap) else f" {request.account}"
    what = f"{name}{about} (terminal {request.terminal}, STAN {request.stan})"
    if not outcome.is_certain:
        seen = "no answer" if reply is None else f"{_code(reply)}"
        return f"unknown: {what}: {seen}; give the same command again with --stan {request.stan}"
    if isinstance(reply, Rejected):
        return f"refused {reply.code:02d}: {what}: {reply.explanation}"
    assert isinstance(reply, Answer), "nothing else answers a command"
    if reply.code is Code.APPROVED:
        held = [f"{purse} {format_yuan(amount)}" for purse, amount in zip(PURSES, reply.balances, strict=False)]
        return f"approved 00: {what}{'; ' if held else ''}{', '.join(held)}"
    return f"declined {_code(reply)}: {what}: {IN_WORDS.get(reply.reason, 'no effect; try again')}"


def _code(reply: Any) -> str:
    return f"{reply.code:02d} {reply.reason.value}"


@click.group("operator")
def operator() -> None:
    """Give one command of the card office to a running switch.

    The station's key must carry a role that permits it (campus.toml). Exit status: 0 if approved, 1 if declined or
    unanswered, 2 for bad input. After "unknown", the same command with the --stan that was shown has one effect.
    """


def _sealed(desk: Desk, stan: int, account: str, given: list[Any]) -> list[Any]:
    """The PIN that was typed, as only the switch can read it."""
    if desk.pin_key is None:
        raise BadInputError(f"secrets.toml has no key for PINs of terminal {desk.terminal}; add it to [pin.terminals]")
    (pin,) = given
    context = PinContext(PinUse.NEW, desk.terminal, stan, account)
    return [seal_pin(pin, desk.pin_key, secrets.token_bytes(PIN_NONCE_BYTES), context)]


def _six_digits(_context: click.Context, _param: click.Parameter, value: str) -> str:
    if not re.fullmatch("[0-9]{6}", value):
        raise click.BadParameter("expected six digits")
    return value


def _limits(_desk: Desk, _stan: int, _account: str, given: list[Any]) -> list[Any]:
    """What was given, and 0 for the rest, which is no limit; nothing at all has to be meant."""
    *limits, none = given
    if 0 in limits:
        raise BadInputError(
            "a limit of 0 would be no limit: leave it out, or give --none to take all back; "
            "`tapswitch operator freeze` keeps a card from paying"
        )
    has_limits = any(limit is not None for limit in limits)
    if none and has_limits:
        raise BadInputError("--none takes all limits back; give no other beside it")
    if not (none or has_limits):
        raise BadInputError("give the limits that shall hold, or --none")
    return [limit or 0 for limit in limits]


def _gap(_desk: Desk, _stan: int, _account: str, given: list[Any]) -> list[Any]:
    """What was given without the word that the counter was lost, which so wide a gap needs."""
    of_terminal, first, last, lost_counter, note = given
    if first > last:
        raise BadInputError(f"--first {first} is above --last {last}")
    if (how_many := last - first + 1) > NUMBERS_MAX and not lost_counter:
        raise BadInputError(
            f"--first {first} to --last {last} are {how_many:,} numbers, more than {NUMBERS_MAX:,}: a slip? If the "
            "terminal lost its counter and went on at the switch's time, add --lost-counter"
        )
    return [of_terminal, first, last, note]


def _unknown_terminal(desk: Desk, given: list[Any]) -> str:
    of_terminal = given[0]
    if of_terminal in desk.campus_terminals:
        return ""
    return f"note: --of-terminal {of_terminal} is no terminal of the campus file; it is sent all the same"


COMMANDS = (
    office_command(
        "open",
        OpenAccount,
        "Open an account that does not exist yet, with its first card, which is then to be activated.",
        _CARD,
        _EXPIRES,
        click.Option(["--class", "person_class"], required=True, type=click.Choice(PERSON_CLASSES)),
    ),
    office_command(
        "issue", IssueCard, "Issue a new card in place of one that has expired; activate it then.", _CARD, _EXPIRES
    ),
    office_command("activate", ActivateCard, "Activate a card that was issued."),
    office_command("report-loss", ReportLoss, "Report the card lost: it is declined from the reply on."),
    office_command("review-loss", ReviewLoss, "Review a loss, so that the card can be found or replaced."),
    office_command("found", FindCard, "The lost card is back, as it was before the loss."),
    office_command("freeze", FreezeCard, "Take a card out of use."),
    office_command("unfreeze", UnfreezeCard, "Give a frozen card back."),
    office_command(
        "replace",
        ReplaceCard,
        "Replace a lost card by a new one, for the campus's fee; activate it then. The old one is dead for ever.",
        _CARD,
        click.Option(
            ["--fee"],
            type=click.Choice([payment.value for payment in FeePayment]),
            default=FeePayment.PURSES.value,
            show_default=True,
            callback=lambda _context, _param, value: FeePayment(value),
            help="How the fee is paid.",
        ),
    ),
    office_command("close", CloseAccount, "Close an account whose purses are empty, for ever."),
    office_command("set-expiry", SetExpiry, "Give the card another last day.", _EXPIRES),
    office_command(
        "reset-pin",
        ResetPin,
        "Give the account a first PIN, which is typed here; it has to be changed at a kiosk before it counts.",
        click.Option(
            ["--pin"],
            prompt="First PIN",
            hide_input=True,
            confirmation_prompt=True,
            callback=_six_digits,
            help="Six digits; asked for if it is not given here, where others could read it.",
        ),
        prepare=_sealed,
    ),
    office_command(
        "correct",
        CorrectEntry,
        "Set an entry right by a counter-entry: --amount -12.50 takes money away.",
        click.Option(
            ["--purse"],
            type=click.Choice(PURSES),
            default=PURSES[0],
            show_default=True,
            callback=lambda _context, _param, value: PURSES.index(value),
        ),
        click.Option(["--amount"], required=True, type=_SignedYuan()),
        click.Option(
            ["--reason"],
            required=True,
            type=click.Choice([reason.value for reason in CorrectionReason]),
            callback=lambda _context, _param, value: CorrectionReason(value),
        ),
    ),
    office_command(
        "settle",
        SettleSuspicion,
        "Settle what `tapswitch suspicious` lists: say what becomes of what it owes in suspense. Once for each item.",
        click.Option(["--original-terminal"], required=True, type=_TERMINAL, help="Of the item, as listed."),
        click.Option(["--original-stan"], required=True, type=_COUNTER, help="Of the item, as listed."),
        click.Option(
            ["--how"],
            required=True,
            type=click.Choice([how.value for how in Settlement]),
            callback=lambda _context, _param, value: Settlement(value),
            help="collect: the account's purses pay; write-off: it is the school's loss; accept: nothing is owed.",
        ),
        _NOTE,
    ),
    office_command(
        "explain-gap",
        ExplainGap,
        "Say why a terminal will never upload some of the offline purchases that `tapswitch gaps` lists.",
        click.Option(["--of-terminal"], required=True, type=_TERMINAL, help="Which terminal, as listed."),
        click.Option(["--first"], required=True, type=_COUNTER, help="From this offline number,"),
        click.Option(["--last"], required=True, type=_COUNTER, help="to this one."),
        click.Option(
            ["--lost-counter"],
            is_flag=True,
            help=f"The terminal lost its counter and went on far above: more than {NUMBERS_MAX:,} numbers.",
        ),
        _NOTE,
        prepare=_gap,
        doubt=_unknown_terminal,
        needs_account=False,
    ),
    office_command(
        "grant-subsidy",
        GrantSubsidy,
        "Grant one account its part of a batch; it moves with the card's next purchase. `grant-batch` grants many.",
        click.Option(["--batch"], required=True, metavar="ID", help="What the batch is called, such as 2026-09."),
        click.Option(["--amount"], required=True, type=_SignedYuan()),
        click.Option(
            ["--last-day"], required=True, type=Day(), help="After this day nothing of it can be claimed or spent."
        ),
    ),
    office_command(
        "bind-family",
        BindFamily,
        "Open a student's family account, whose money is a guardian's.",
        click.Option(
            ["--guardian"], required=True, metavar="ID", help="Whose: an identifier that says nothing of the person."
        ),
    ),
    office_command("unbind-family", UnbindFamily, "End a family account whose purse is empty."),
    office_command(
        "set-family-policy",
        SetFamilyPolicy,
        "Set what purchases may draw from the family purse; without options the policy is deleted.",
        *(
            click.Option([name], type=_LimitYuan(), default="0", help=text)
            for name, text in (
                ("--day-max", "In a business day.  [default: no limit]"),
                ("--purchase-max", "One purchase.  [default: no limit]"),
                ("--alert-above", "Tell the guardian of a purchase that draws more.  [default: of none]"),
            )
        ),
    ),
    office_command(
        "credit-family",
        CreditFamily,
        "Credit the family purse with a guardian's money, in whole yuan.",
        click.Option(["--amount"], required=True, type=_SignedYuan()),
        click.Option(
            ["--channel"],
            required=True,
            type=click.Choice(CHANNELS),
            callback=lambda _context, _param, value: CHANNELS.index(value) + 1,
            help="How it was paid.",
        ),
    ),
    office_command(
        "set-limits",
        SetLimits,
        "Set the cardholder's own limits on purchases, all at once: what is not given is no limit any more. The lower"
        " one of the school's limit and the holder's counts.",
        click.Option(["--purchase-max"], type=_LimitYuan(), help="One purchase without the PIN."),
        click.Option(["--day-max"], type=_LimitYuan(), help="All purchases of a business day."),
        click.Option(["--period-max"], type=_LimitYuan(), help="All purchases of a meal period."),
        click.Option(["--day-count-max"], type=_COUNT, help="How many purchases on a business day."),
        click.Option(["--period-count-max"], type=_COUNT, help="How many purchases in a meal period."),
        click.Option(["--none"], is_flag=True, help="Take all of them back."),
        prepare=_limits,
    ),
)
for _command in (*COMMANDS, GRANT_BATCH):
    operator.add_command(_command)
