"""What `luthier plan` prints: the record of a plan as text."""

from typing import Any

from luthier.report.understood_words import understood_words


def forecast_words(record: dict[str, Any]) -> str:
    """The resolved plan, the rows, the rungs, the steps, time and memory. record: as `luthier plan --json` prints it."""
    blocks = [
        [guess["words"] for guess in record["guesses"]],
        [f"! {text}" for text in record["notes"]],
        [*understood_words(record["understood"]), f"folder: {record['out']}"],
        candidates_lines(record["candidates"]),
        rungs_table(record) if record["rungs"] else [no_layer_words(record)],
        steps_lines(record),
        forecast_lines(record["forecast"]),
    ]
    return "\n\n".join("\n".join(f"  {line}" for line in block) for block in blocks if block) + "\n"


def candidates_lines(candidates: list[dict[str, str]]) -> list[str]:
    """A line with the candidates that will compete.

    >>> candidates_lines([{"name": "majority", "why_not": ""}, {"name": "lookup", "why_not": "there are no entities"}])
    ['candidates, from cheap to dear: majority']
    """
    return [
        f"candidates, from cheap to dear: {', '.join(one['name'] for one in candidates if not one['why_not'])}"
    ]


def no_layer_words(record: dict[str, Any]) -> str:
    """Why there is no table of layers."""
    competing = {one["name"] for one in record["candidates"] if not one["why_not"]}
    if "few-shot" in competing:
        return (
            "few-shot trains all layers but the embeddings, in a fixed number of steps; the heads of it and of the probe are "
            "solved for."
        )
    why = (
        "the probe's head is solved for"
        if "probe" in competing
        else "the head is made of the words of labels"
    )
    return f"No layer trains: {why}."


def rungs_table(record: dict[str, Any]) -> list[str]:
    """A line for each rung, from the head down."""
    wide = max(len(rung["name"]) for rung in record["rungs"])
    lines = [f"{'rung':<{wide}}  {'parameters':>12}  {'trains':>12}  learning rate"]
    lines += [
        f"{rung['name']:<{wide}}  {rung['parameters']:>12,}  {rung['trained'] or '-':>12{',' if rung['trained'] else ''}}  "
        + rate_words(rung)
        for rung in record["rungs"]
    ]
    total = record["parameters"]
    lines.append(f"{'all':<{wide}}  {total['total']:>12,}  {total['trained']:>12,}")
    return lines + ([f"This model: {record['note']}"] if record["note"] else [])


def rate_words(rung: dict[str, Any]) -> str:
    """The learning rate of a rung, and the epoch from which it trains."""
    if not rung["trained"]:
        return "frozen"
    rate = f"{rung['multiplier']:g} x the rate found" if rung["lr"] is None else f"{rung['lr']:.3g}"
    return rate if rung["from_epoch"] == 1 else f"{rate} from epoch {rung['from_epoch']}"


def steps_lines(record: dict[str, Any]) -> list[str]:
    """Lines with the number of epochs, steps and rows per step."""
    if not record["rungs"]:
        return []
    return [
        f"{record['steps']:,} steps in {record['epochs']:g} epochs, {record['validations']:,} validations, "
        f"{record['tokens_per_epoch']:,} tokens an epoch; early stopping can only shorten this"
    ]


def forecast_lines(forecast: dict[str, Any]) -> list[str]:
    """Lines with the time of each step of the command, and the memory."""
    parts = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in forecast["seconds_of"].items())
    busy = busy_words(forecast["seconds"], forecast["seconds_if_busy"], forecast["others"])
    return [
        f"time: at most {time_in_words(forecast['seconds'])}{busy} ({parts})",
        f"memory: about {forecast['peak_bytes'] / 1e6:,.0f} MB",
    ]


TOLD_FROM = 1.25
"""A time on the busy machine is told, too, where it is at least so many times that on an idle one."""


def busy_words(seconds: float, slowest: float, others: float) -> str:
    """The time that something takes on a machine as busy as it is now, in brackets; empty where that is about the same.

    >>> busy_words(130.0, 140.0, 0.0), busy_words(130.0, 260.0, 0.0)
    ('', ' (4 min 20 s as busy as this machine is now)')
    """
    if slowest < TOLD_FROM * seconds:
        return ""
    who = f": others take {100 * others:.0f} % of it" if others >= 0.05 else ""
    return f" ({time_in_words(slowest)} as busy as this machine is now{who})"


def time_in_words(seconds: float) -> str:
    """
    >>> time_in_words(8.4), time_in_words(130), time_in_words(7300)
    ('8 s', '2 min 10 s', '2 h 1 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
