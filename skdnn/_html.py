"""The network in a notebook: its layers as a table, its loss as a curve.

Both have the colors of the page for text, and lines that stand out on light and on dark
ones, so that they suit whatever theme a notebook has.
"""

from html import escape

import numpy as np

from skdnn._summary import summary

#: Width and height of the curve, and the room around it for numbers.
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 320, 140, 52, 8, 10, 22

#: Lines of training and of validation.
COLORS = {"training": "#2f7ed8", "validation": "#d9730d"}

STYLE = """
.skdnn-network {display: flex; flex-wrap: wrap; gap: 0.5em 1.5em; max-width: 100%;
  margin: 0.5em 0 1em; font-family: sans-serif; font-size: 0.8em; color: inherit}
.skdnn-network > * {max-width: 100%; overflow-x: auto}
.skdnn-network table {border-collapse: collapse; margin: 0; color: inherit}
.skdnn-network caption {text-align: left; font-weight: bold; padding-bottom: 0.2em}
.skdnn-network th, .skdnn-network td {padding: 0.1em 0.6em; text-align: left;
  background: none; color: inherit; border: 0 solid rgb(128 128 128 / 0.4);
  border-top-width: 1px}
.skdnn-network .number {text-align: right; font-variant-numeric: tabular-nums}
.skdnn-network svg {width: 100%; max-width: 320px; height: auto; color: inherit}
.skdnn-network text {fill: currentColor; font-size: 11px}
"""


def networks_html(estimator):
    """Return the table of layers and the curve of a fitted estimator, as HTML.

    There is one of each for every kind of members.
    """
    if estimator.kinds_ is None:
        return _network(estimator, "Network")
    pairs = zip(estimator.kinds_, estimator.kind_weights_, strict=True)
    return "".join(
        _network(kind, f"Kind {i} of members, weight {weight:.2f}")
        for i, (kind, weight) in enumerate(pairs, 1)
    )


def _network(estimator, name):
    return (
        f'<div class="skdnn-network"><style>{STYLE}</style>'
        f"<div>{_table(estimator, name)}</div><div>{_curve(estimator)}</div></div>"
    )


def _table(estimator, name):
    layers, n_members = summary(estimator), estimator.network_.n_members
    total = estimator.network_.params.size
    members = "" if n_members is None else f" in {n_members} members"
    rows = "".join(
        f"<tr><td>{escape(layer.name)}</td>"
        f'<td class="number">{layer.n_units:,}</td>'
        f"<td>{escape(', '.join(layer.details))}</td>"
        f'<td class="number">{layer.n_parameters:,}</td></tr>'
        for layer in layers
    )
    return (
        f"<table><caption>{name}: {total:,} parameters{members}</caption>"
        '<thead><tr><th>Layer</th><th class="number">Units</th><th></th>'
        '<th class="number">Parameters</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def _curve(estimator):
    """Return an SVG of the losses of each epoch."""
    curves = {"training": estimator.loss_curve_}
    if estimator.validation_loss_curve_ is not None:
        curves["validation"] = estimator.validation_loss_curve_
    curves = {name: np.asarray(curve, float) for name, curve in curves.items()}
    every = np.concatenate(list(curves.values()))
    # What overflowed is not there to see.
    every = every[np.isfinite(every)]
    low, high = every.min(), every.max()
    n_epochs = len(estimator.loss_curve_)

    def place(epoch, loss):
        x = LEFT + (WIDTH - LEFT - RIGHT) * (epoch - 1) / max(1, n_epochs - 1)
        share = (loss - low) / (high - low) if high > low else 0.5
        return f"{x:.1f}", f"{TOP + (HEIGHT - TOP - BOTTOM) * (1 - share):.1f}"

    lines = ""
    for name, curve in curves.items():
        epochs = np.flatnonzero(np.isfinite(curve))
        points = [",".join(place(i + 1, curve[i])) for i in epochs]
        # The last one twice: a single epoch is a dot.
        lines += (
            f'<polyline points="{" ".join([*points, *points[-1:]])}" fill="none" '
            f'stroke="{COLORS[name]}" stroke-width="1.5" stroke-linecap="round">'
            f"<title>{name} loss</title></polyline>"
        )
    if "validation" in curves:
        best = estimator.best_iter_
        x, y = place(best, curves["validation"][best - 1])
        lines += (
            f'<circle cx="{x}" cy="{y}" r="3.5" fill="{COLORS["validation"]}">'
            f"<title>best epoch: {best}</title></circle>"
        )
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="Loss of {n_epochs} epochs">{_frame(low, high, n_epochs)}{lines}'
        f"{_legend(curves)}</svg>"
    )


def _frame(low, high, n_epochs):
    """Return the axes, and the numbers at their ends."""
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    return (
        f'<path d="M{LEFT},{TOP} V{bottom} H{right}" fill="none" stroke="currentColor" '
        'stroke-opacity="0.5"/>'
        f'<text x="{LEFT - 4}" y="{TOP + 8}" text-anchor="end">{high:.2g}</text>'
        f'<text x="{LEFT - 4}" y="{bottom}" text-anchor="end">{low:.2g}</text>'
        f'<text x="{LEFT}" y="{HEIGHT - 6}">1</text>'
        f'<text x="{(LEFT + right) / 2}" y="{HEIGHT - 6}" text-anchor="middle">epoch'
        f'</text><text x="{right}" y="{HEIGHT - 6}" text-anchor="end">{n_epochs}</text>'
    )


def _legend(curves):
    """Return the names of the lines, in the corner that they leave first."""
    return "".join(
        f'<line x1="{WIDTH - 112}" x2="{WIDTH - 94}" y1="{TOP + 4 + 15 * i}" '
        f'y2="{TOP + 4 + 15 * i}" stroke="{COLORS[name]}" stroke-width="1.5"/>'
        f'<text x="{WIDTH - 90}" y="{TOP + 8 + 15 * i}">{name} loss</text>'
        for i, name in enumerate(curves)
    )
