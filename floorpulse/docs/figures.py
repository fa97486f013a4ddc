"""The pages on figures and names of operation: KPIs, metrics, settings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from prometheus_client import CollectorRegistry

from floorpulse.delivery.metrics import DeliveryMetrics
from floorpulse.docs.markdown import code, codes, page, table
from floorpulse.settings import Settings
from floorpulse.web.metrics import WebMetrics
from schemas.kpi_terms import DERIVED
from schemas.kpis import DEFAULT_VARIANT, KPIS, LIVE_KPIS, SERVICE_LEVEL_VARIANTS, Kpi
from schemas.panes import COLUMNS, MAPS, THRESHOLDS_S
from schemas.view_kpis import VIEW_KPIS
from sinks.kpi_groups import GROUPS
from sources.readers.gateway import GatewayMetrics
from streams.worker.metrics import WorkerMetrics

_UNITS = {
    "count": "count",
    "share": "share, 0 to 1",
    "s": "seconds",
    "points": "per cent points",
    "per_hour": "per hour",
    "ratio": "ratio",
}
_BETTER = {"higher": "up", "lower": "down", "band": "in a band", "none": ""}
_LABELS = "_labelnames"


def kpis_page() -> str:
    """Every KPI with its formula, the variants of the service level, the columns they are made of."""
    figures = table(
        ("KPI", "name", "what it is", "numerator", "denominator (n)", "unit", "better", "least n", "of", "source"),
        [_kpi_row(kpi) for kpi in KPIS.values()],
    )
    live = table(("figure", "what it is"), [(code(name), words) for name, words in LIVE_KPIS.items()])
    return page(
        "KPIs",
        "Value = sum of the numerator / sum of the denominator, over any time and any group; without a denominator it "
        "is a sum, and where the denominator is 0 or less there is no value. How to read them, and where the "
        "definitions come from: [kpis.md](../kpis.md).",
        [
            figures,
            "## Figures of this instant",
            "Rules can name them; they have no sums.",
            live,
            "## Figures of single facts",
            "They need more than sums: a view makes each of them.",
            _of_views(),
            "## Derived sums",
            "They depend on what the registry says of reason codes and tasks, so that a corrected code corrects them.",
            _derived(),
            "## Service level",
            f"`T` is the threshold, `S` the limit of a short abandon, each one of {', '.join(map(str, THRESHOLDS_S))} "
            f"s. Where nothing else is said, variant "
            f"{DEFAULT_VARIANT} holds.",
            _variants(),
            "## Columns of a minute",
            "`both`: the agent's minute holds it; the queue's minute holds what no agent is known for.",
            _columns(),
        ],
    )


def _of_views() -> str:
    return table(
        ("figure", "name", "what it is", "unit", "view", "source"),
        [(code(k.id), k.name, k.words, _UNITS[k.unit], code(k.view), k.source) for k in VIEW_KPIS.values()],
    )


def _derived() -> str:
    rows = [(code(name), derived.words, codes(derived.columns)) for name, derived in DERIVED.items()]
    return table(("sum", "what it is", "made from"), rows)


def _variants() -> str:
    rows = [
        (str(number), words, _summed(top), _summed(bottom))
        for number, (words, top, bottom) in SERVICE_LEVEL_VARIANTS.items()
    ]
    return table(("variant", "formula", "numerator", "denominator"), rows)


def _columns() -> str:
    rows: list[tuple[str, ...]] = [(code(c.name), c.owner, c.meaning) for c in COLUMNS]
    maps: list[tuple[str, ...]] = [(code(name), "agent", words) for name, (_, words) in MAPS.items()]
    return table(("column", "held by", "meaning"), rows + maps)


def _kpi_row(kpi: Kpi) -> tuple[str, ...]:
    words = "See [service level](#service-level)." if kpi.id == "service_level" else kpi.words
    groups = ", ".join(kind for kind, group in GROUPS.items() if kpi.id in group.kpis())
    top = _summed(kpi.numerator)
    if len(kpi.numerator) > 1 and (kpi.divisor, kpi.times) != (1, 1):
        top = f"({top})"
    if kpi.times != 1:
        top += f" x {kpi.times:,}"
    if kpi.divisor != 1:
        top += f" / {kpi.divisor:,}"
    least = str(kpi.min_n or "")
    return (
        code(kpi.id), kpi.name, words, top, _summed(kpi.denominator), _UNITS[kpi.unit], _BETTER[kpi.better], least,
        groups, kpi.source,
    )  # fmt: skip


def _summed(terms: tuple[str, ...]) -> str:
    """Terms as a sum, those that are taken away with a minus."""
    signed = [("- " if term.startswith("-") else "+ ") + code(term.removeprefix("-")) for term in terms]
    return " ".join(signed).removeprefix("+ ")


def settings_page() -> str:
    """Every setting with its key, environment variable, default and meaning."""
    rows = [
        (code(name), code(f"FLOORPULSE_{name.upper()}"), _default(name), _type(name), field.description or "")
        for name, field in Settings.model_fields.items()
    ]
    return page(
        "Settings",
        "Each is a key of the file `floorpulse.yaml` in the working folder and an environment variable. The first "
        "found wins: environment, file, what `floorpulse up` wrote into `DIR/run.json`, default. "
        "An unknown key is an error, and so is an unknown variable that begins with `FLOORPULSE_`. "
        "`--data`, where it names another folder than the default, comes before all.",
        [table(("key", "environment", "default", "type", "meaning"), rows)],
    )


def _default(name: str) -> str:
    value = Settings.model_fields[name].default
    return "" if str(value) == "" else code(str(value))


def _type(name: str) -> str:
    kind = Settings.model_fields[name].annotation
    words = get_args(kind)
    return " or ".join(map(str, words)) if words else getattr(kind, "__name__", str(kind))


def metrics_page() -> str:
    """Every metric that a process of floorpulse tells Prometheus."""
    parts = []
    for title, metrics in _processes():
        rows = sorted(_metric_rows(metrics))
        parts += [f"## {title}", table(("metric", "type", "labels", "meaning"), rows)]
    return page("Metrics", "What `/metrics` of each process says. No label names an agent.", parts)


def _processes() -> Iterator[tuple[str, object]]:
    yield "Worker", WorkerMetrics(CollectorRegistry())
    yield "Gateway", GatewayMetrics.create()
    yield "Web", WebMetrics()
    yield "Delivery", DeliveryMetrics()


def _metric_rows(metrics: object) -> Iterator[tuple[str, ...]]:
    names = vars(metrics) if hasattr(metrics, "__dict__") else metrics.__dataclass_fields__  # type: ignore[attr-defined]
    for name in names:
        metric = getattr(metrics, name)
        if isinstance(metric, CollectorRegistry):
            continue
        for found in metric.describe():
            shown = f"{found.name}_total" if found.type == "counter" else found.name
            yield code(shown), found.type, codes(getattr(metric, _LABELS)), found.documentation
