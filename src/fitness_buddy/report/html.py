"""Write a report as one HTML page that opens from a file, offline, and loads nothing from the network."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from functools import cache
from typing import Any

import jinja2
import vl_convert
from markupsafe import Markup

from fitness_buddy import __version__
from fitness_buddy.report import charts, lines, text
from fitness_buddy.report.data import Report
from fitness_buddy.report.training import Training, training_sentences

# Draws every chart, and draws it again when the theme or the breakpoint changes. `ast` evaluates expressions without
# eval, which the page's Content-Security-Policy forbids.
_DRAW = """
const {specs, narrowSpecs, configs} = JSON.parse(document.getElementById('chart-data').textContent);
const dark = matchMedia('(prefers-color-scheme: dark)');
const narrow = matchMedia('(max-width: 640px)');
let views = [];
async function draw() {
  views.splice(0).forEach(view => view.finalize());
  const theme = dark.matches ? 'dark' : 'light';
  const config = structuredClone(configs[theme]);
  if (narrow.matches) config.legend.columns = 2;
  for (const [name, spec] of Object.entries(specs)) {
    const fitting = (narrow.matches && narrowSpecs[name]) || spec;
    const box = document.getElementById('chart-' + name);
    const options = {config, mode: 'vega-lite', renderer: 'svg', actions: false, ast: true, tooltip: {theme}};
    views.push(await vegaEmbed(box, structuredClone(fitting), options));
  }
  document.documentElement.dataset.drawn = theme + (narrow.matches ? ' narrow' : ' wide');
}
let queue = Promise.resolve();
const redraw = () => { queue = queue.then(draw); return queue; };
dark.addEventListener('change', redraw);
narrow.addEventListener('change', redraw);
redraw();
"""


def render_html(report: Report, training: Training | None = None, recorded: Sequence[Mapping[str, object]] = ()) -> str:
    """Return the page as text, about 1 MB, nearly all of it the chart library.

    Args:
        recorded: what the template of an activity needs, for each recorded activity of the day.
    """
    script = _script()
    specs = _specs(charts.CHARTS, report)
    page_data = {
        "specs": specs,
        "narrowSpecs": _specs(charts.NARROW_CHARTS, report),
        "configs": {"light": charts.config("light"), "dark": charts.config("dark")},
    }
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            report=report,
            recorded=recorded,
            drawn=set(specs),
            chart_data=_inert_json(page_data),
            script=Markup(script),  # noqa: S704 - the library's own text, not the athlete's
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
            week_rows=lines.week_rows(report.week, report.week_before),
            macro_rows=_macro_rows(report),
            sport_colours=charts.SPORT_COLOURS,
            macro_colours=charts.MACRO_COLOURS,
            training_sentences=list(training_sentences(training)) if training else [],
            version=__version__,
        )
    )


def _macro_rows(report: Report) -> list[tuple[str, ...]]:
    """Return rows of (label, carbs, protein, fat): grams and percent of the day, percent of the month and of the
    target.
    """
    day = report.macros_of_day
    grams = (day.carbs_g, day.protein_g, day.fat_g) if day else ()
    shares = (
        ("% of energy, mean of the day’s meals", day.mean_of_meals if day else None),
        ("% of energy, the day’s totals", day.of_totals if day else None),
        (f"% of energy, mean of {text.counted(len(report.macros), 'day')}", report.macros_mean),
        ("% of energy, target", report.macros_target),
    )
    rows = [("Grams", grams), *((what, astuple(share)) for what, share in shares if share)]
    return [(what, *(text.whole(value) for value in values)) for what, values in rows if values]


def _specs(makers: Mapping[str, charts.Maker], report: Report) -> dict[str, dict[str, Any]]:
    """Return the Vega-Lite specification of every chart that has data, by name."""
    return {name: _spec(chart) for name, make in makers.items() if (chart := make(report)) is not None}


def _spec(chart: charts.Chart) -> dict[str, Any]:
    spec: dict[str, Any] = chart.to_dict()
    spec["width"] = "container"
    spec["autosize"] = {"type": "fit-x", "contains": "padding"}
    # Altair's own config would mix with the config of the theme, and an offline page has no use for the schema's
    # address.
    del spec["config"], spec["$schema"]
    return spec


def _inert_json(data: Mapping[str, Any]) -> Markup:
    """Return JSON that cannot end its script element, whatever texts it holds."""
    escaped = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        escaped = escaped.replace(character, f"\\u{ord(character):04x}")
    return Markup(escaped)  # noqa: S704 - escaped above


@cache
def _script() -> str:
    """Return Vega-Embed, Vega-Lite, Vega and the drawing code as one module; bundling takes a second."""
    bundle: str = vl_convert.javascript_bundle(snippet=_DRAW, vl_version=charts.vega_lite_version())
    if "</script" in bundle.lower() or "<!--" in bundle:
        raise AssertionError("the chart library would end its own script element")
    return bundle


@cache
def environment() -> jinja2.Environment:
    """Return the templates of pages, with their filters."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("fitness_buddy.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "whole": text.whole,
        "distance": text.distance,
        "duration": text.duration,
        "percent": text.percent,
        "full_day": text.full_day,
        "weekday_day": text.weekday_day,
    }
    made.globals |= {
        "counted": text.counted,
        "unit_words": text.unit_words,
        "session_facts": lines.session_facts,
        "meal_facts": lines.meal_facts,
        "week_sentence": lines.week_sentence,
    }
    return made
