"""Choice of an answer's media type by the header ``Accept`` (RFC 9110, 12.5.1)."""

_HTML = frozenset({"text/html", "application/xhtml+xml"})
_JSON = "application/json"


def wants_html(accept: str) -> bool:
    """Tell whether HTML is asked for by name, and JSON is not preferred to it."""
    weights = dict(map(_weighed, accept.lower().split(",")))
    html = max((weights.get(name, 0.0) for name in _HTML), default=0.0)
    return html > 0 and html >= weights.get(_JSON, 0.0)


def _weighed(part: str) -> tuple[str, float]:
    name, *parameters = (word.strip() for word in part.split(";"))
    given = next((word[2:] for word in parameters if word.startswith("q=")), "1")
    try:
        weight = float(given)
    except ValueError:
        weight = 0.0
    return name, weight if 0 <= weight <= 1 else 0.0
