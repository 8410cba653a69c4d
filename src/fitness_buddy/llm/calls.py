"""Log the calls of language models in the warehouse, for the monthly budget and for the operator."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from fitness_buddy.core.settings import Settings
from fitness_buddy.llm.client import LanguageModel, ModelCall, model_settings
from fitness_buddy.warehouse import LogTable, NotBuiltError, Warehouse

CALLS = LogTable(
    name="model_calls",
    columns={
        "athlete_id": "string",
        "called_at": "timestamp",
        "purpose": "string",
        "model": "string",
        "input_tokens": "int64",
        "output_tokens": "int64",
        "cost_usd": "float64",
        "duration_s": "float64",
        "outcome": "string",
    },
    time="called_at",
    cluster="athlete_id",
)


class WarehouseCallLog:
    """The calls of all athletes, in ``ops.model_calls``."""

    def __init__(self, warehouse: Warehouse, settings: Settings) -> None:
        self._warehouse = warehouse
        self._settings = settings

    def spent_usd(self, since: datetime) -> float:
        """Return what the calls of all athletes have cost since an instant."""
        try:
            (row,) = self._warehouse.query(
                f"select sum(cost_usd) as spent_usd from {self._settings.ops_schema}.{CALLS.name} "  # noqa: S608
                "where called_at >= @since",
                {"since": since},
            )
        except NotBuiltError:
            return 0.0
        return float(row["spent_usd"] or 0)

    def keep(self, call: ModelCall) -> None:
        """Add a call."""
        with self._warehouse.exclusive():
            self._warehouse.append_rows(CALLS, [{"athlete_id": self._settings.athlete_id, **asdict(call)}])


def open_model(warehouse: Warehouse, settings: Settings) -> LanguageModel | None:
    """Return the language model of the settings; None if none is named.

    Raises:
        UsageError: its settings are wrong.
    """
    stated = model_settings()
    return LanguageModel(stated, WarehouseCallLog(warehouse, settings)) if stated else None
