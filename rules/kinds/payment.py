"""Whether the applicant had something to pay: the law of some sectors stops the clock for it.

NĐ 151/2025/NĐ-CP part II (land): the applicant's time to fulfil a financial obligation does not count. For which
procedures the clock stops the facts do not tell, so what falls due meanwhile is no lateness that anybody could prove.
"""

from __future__ import annotations

import pandas as pd

from tthc_monitor.domain.statuses import Status


def paying_at(facts: pd.DataFrame, instant: pd.Series) -> pd.Series:
    """Whether a financial obligation began before an instant and was not fulfilled by then, as far as we know."""
    begun, paid = facts["obligation_requested_at"], facts["obligation_completed_at"]
    since_when = (facts["status"] == Status.FINANCIAL_OBLIGATION) & begun.isna()
    return instant.notna() & (since_when | ((begun < instant) & ~(paid <= instant)))
