"""What may be asked of an account: one module a service, and one row of each in this list."""

from __future__ import annotations

from typing import Final

from actors.account.service import ServiceRow
from actors.account.services.activate_card import ACTIVATE_CARD
from actors.account.services.advice import ADVICE
from actors.account.services.capture import CAPTURE
from actors.account.services.change_pin import CHANGE_PIN
from actors.account.services.claim_subsidy import SUBSIDY_CLAIM
from actors.account.services.close_account import CLOSE_ACCOUNT
from actors.account.services.correct_entry import CORRECT_ENTRY
from actors.account.services.family_account import BIND_FAMILY, CREDIT_FAMILY, SET_FAMILY_POLICY, UNBIND_FAMILY
from actors.account.services.find_card import FIND_CARD
from actors.account.services.freeze_card import FREEZE_CARD, UNFREEZE_CARD
from actors.account.services.grant_subsidy import GRANT_SUBSIDY
from actors.account.services.hold import HOLD
from actors.account.services.issue_card import ISSUE_CARD
from actors.account.services.open_account import OPEN_ACCOUNT
from actors.account.services.purchase import PURCHASE
from actors.account.services.refund import REFUND
from actors.account.services.release import RELEASE
from actors.account.services.replace_card import REPLACE_CARD
from actors.account.services.report_loss import REPORT_LOSS
from actors.account.services.reset_pin import RESET_PIN
from actors.account.services.reversal import REVERSAL
from actors.account.services.review_loss import REVIEW_LOSS
from actors.account.services.set_expiry import SET_EXPIRY
from actors.account.services.set_limits import SET_LIMITS
from actors.account.services.settle_suspicion import SETTLE_SUSPICION
from actors.account.services.top_up import TOP_UP

CARD_OFFICE: Final[tuple[ServiceRow, ...]] = (
    REPORT_LOSS,
    OPEN_ACCOUNT,
    ISSUE_CARD,
    ACTIVATE_CARD,
    REVIEW_LOSS,
    FIND_CARD,
    FREEZE_CARD,
    UNFREEZE_CARD,
    REPLACE_CARD,
    CLOSE_ACCOUNT,
    SET_EXPIRY,
    RESET_PIN,
    CORRECT_ENTRY,
    GRANT_SUBSIDY,
    BIND_FAMILY,
    UNBIND_FAMILY,
    SET_FAMILY_POLICY,
    CREDIT_FAMILY,
    SET_LIMITS,
    SETTLE_SUSPICION,
)
SERVICES: Final[tuple[ServiceRow, ...]] = (
    PURCHASE, TOP_UP, SUBSIDY_CLAIM, REVERSAL, REFUND, HOLD, CAPTURE, RELEASE, ADVICE, CHANGE_PIN, *CARD_OFFICE,
)  # fmt: skip
