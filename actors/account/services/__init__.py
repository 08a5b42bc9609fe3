"""What may be asked of an account: one module a service, and one row of each in this list."""

from __future__ import annotations

from typing import Final

from actors.account.service import ServiceRow
from actors.account.services.purchase import PURCHASE
from actors.account.services.reversal import REVERSAL
from actors.account.services.top_up import TOP_UP

SERVICES: Final[tuple[ServiceRow, ...]] = (PURCHASE, TOP_UP, REVERSAL)
