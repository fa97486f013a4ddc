"""The pages on figures and names of operation: KPIs, metrics, settings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from prometheus_client import CollectorRegistry

from floorpulse.docs.markdown import code, codes, page, table
from floorpulse.settings import Settings
from floorpulse.web.metrics import WebMetrics
from schemas.kpis import DEFAULT_VARIANT, KPIS, LIVE_KPIS, SERVICE_LEVEL_VARIANTS, Kpi
from schemas.panes import COLUMNS, THRESHOLDS_S
from sinks.kpi_views import GROUPS
from sources.readers.gateway import GatewayMetrics
from streams.worker.metrics import WorkerMetrics

_UNITS = {"count": "count", "share": "share, 0 to 1", "s": "seconds", "points": "per cent points"}
_LABELS = "_labelnames"


def kpis_page() -> str:
    """Every KPI with its formula, the variants of the service level, the columns they are made of."""
    figures = table(
        ("KPI", "name", "what it is", "numerator", "denominator (n)", "unit", "of"),
        [_kpi_row(kpi) for kpi in KPIS.values()],
    )
    live = table(("figure", "what it is"), [(code(name), words) for name, words in LIVE_KPIS.items()])
    variants = table(
        ("variant", "formula", "numerator", "denominator"),
        [
            (str(number), words, codes(top), codes(bottom))
            for number, (words, top, bottom) in SERVICE_LEVEL_VARIANTS.items()
        ],
    )
    columns = table(("column", "held by", "meaning"), [(code(c.name), c.owner, c.meaning) for c in COLUMNS])
    return page(
        "KPIs",
        "Value = sum of the numerator / sum of the denominator, over any time and any group; without a denominator it "
        "is a sum, and where the denominator is 0 there is no value. How to read them, and where the definitions come "
        "from: [kpis.md](../kpis.md).",
        [
            figures,
            "## Figures of this instant",
            "Rules can name them; they have no sums.",
            live,
            "## Service level",
            f"`T` is the threshold, one of {', '.join(map(str, THRESHOLDS_S))} s. Where nothing else is said, variant "
            f"{DEFAULT_VARIANT} holds.",
            variants,
            "## Columns of a minute",
            "`both`: the agent's minute holds it; the queue's minute holds what no agent is known for.",
            columns,
        ],
    )


def _kpi_row(kpi: Kpi) -> tuple[str, ...]:
    words = "See [service level](#service-level)." if kpi.id == "service_level" else kpi.words
    groups = ", ".join(kind for kind, group in GROUPS.items() if kpi.id in group.kpis())
    top = " + ".join(map(code, kpi.numerator))
    if kpi.divisor != 1:
        top = f"({top}) / {kpi.divisor}" if len(kpi.numerator) > 1 else f"{top} / {kpi.divisor}"
    return code(kpi.id), kpi.name, words, top, " + ".join(map(code, kpi.denominator)), _UNITS[kpi.unit], groups


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
        "An unknown key is an error.",
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


def _metric_rows(metrics: object) -> Iterator[tuple[str, ...]]:
    names = vars(metrics) if hasattr(metrics, "__dict__") else metrics.__dataclass_fields__  # type: ignore[attr-defined]
    for name in names:
        metric = getattr(metrics, name)
        if isinstance(metric, CollectorRegistry):
            continue
        for found in metric.describe():
            shown = f"{found.name}_total" if found.type == "counter" else found.name
            yield code(shown), found.type, codes(getattr(metric, _LABELS)), found.documentation
