"""The scrubbers that can be scored on the privacy corpus: ours, and others as they come.

Each factory returns a function from a case to what would leave the process. The others are
imported when asked for.
"""

# pyright: reportMissingImports=false

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from corpus.case import Case

Tool = Callable[["Case"], object]


def record(case: Case) -> object:
    """Return what the application hands over: attributes, or the bare value of a door."""
    if case.door == "tracestate":
        return f"{case.key}={case.value}"
    return case.value if case.key is None else {case.key: case.value}


def _none() -> Tool:
    return record


def _bear() -> Tool:
    from bear_otel.privacy import DROPPED, Scrubber

    scrubber = Scrubber()

    def clean(case: Case) -> object:
        value: Any = record(case)
        match case.door:
            case "span.name" | "event.name":
                out = scrubber.scrub_name(value, door=case.door)
            case "tracestate":
                out = scrubber.scrub_tracestate(value)
            case "baggage":
                out = scrubber.scrub_baggage(value)
            case "log.body":
                out = scrubber.scrub_body(value, door=case.door)
            case "exception.message" | "exception.stacktrace":
                out = scrubber.scrub_attributes({case.door: value}, door="event.attribute")[
                    case.door
                ]
            case "status.description":
                out = scrubber.scrub_text(value, door=case.door)
            case _:
                out = scrubber.scrub_attributes(value, door=case.door)
        return None if out is DROPPED else out

    return clean


def _logfire() -> Tool:
    from logfire._internal.scrubbing import Scrubber

    scrubber = Scrubber(None)

    def clean(case: Case) -> object:
        value = record(case)
        match case.door:
            case "log.body":
                return scrubber.scrub_value(("log_body",), value)[0]
            case "exception.message" | "exception.stacktrace":
                return scrubber.scrub_value(("otel_events",), {case.door: value})[0][case.door]
            case "span.attribute" | "span.attributes" | "event.attribute" | "link.attribute":
                return scrubber.scrub_value(("attributes",), value)[0]
            case "log.attribute":
                return scrubber.scrub_value(("attributes",), value)[0]
            case _:
                return value

    return clean


def _sentry() -> Tool:
    from sentry_sdk.scrubber import EventScrubber
    from sentry_sdk.utils import AnnotatedValue

    def clean(case: Case) -> object:
        value: Any = record(case)
        if not isinstance(value, dict) or case.door not in {
            "span.attribute",
            "span.attributes",
            "log.attribute",
        }:
            return value
        data = dict(value)
        EventScrubber().scrub_event({"extra": data, "spans": [{"data": data}]})
        return {k: "[Filtered]" if isinstance(v, AnnotatedValue) else v for k, v in data.items()}

    return clean


def _presidio(*, ner: bool) -> Tool:
    import spacy
    import tldextract
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.nlp_engine import SpacyNlpEngine
    from presidio_anonymizer import AnonymizerEngine

    # It would fetch the public suffix list from the net.
    tldextract.extract = tldextract.TLDExtract(suffix_list_urls=())
    model = next(iter(spacy.util.get_installed_models()), None) if ner else None
    engine = SpacyNlpEngine()
    engine.nlp = {"en": spacy.load(model) if model else spacy.blank("en")}
    registry = RecognizerRegistry()
    registry.load_predefined_recognizers(languages=["en"], nlp_engine=engine if ner else None)
    if not ner:
        registry.remove_recognizer("SpacyRecognizer")
    analyzer = AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=["en"])
    anonymizer = AnonymizerEngine()

    def scrub(value: object) -> object:
        match value:
            case str():
                found: Any = analyzer.analyze(value, language="en")
                return anonymizer.anonymize(value, found).text
            case bytes():
                text = value.decode("utf-8", "replace")
                clean = scrub(text)
                return value if clean == text else clean
            case Mapping():
                return {key: scrub(item) for key, item in value.items()}
            case list():
                return [scrub(item) for item in value]
            case _:
                return value

    return lambda case: scrub(record(case))


TOOLS: dict[str, Callable[[], Tool]] = {
    "none": _none,
    "bear": _bear,
    "logfire": _logfire,
    "sentry": _sentry,
    "presidio": partial(_presidio, ner=False),
    "presidio-ner": partial(_presidio, ner=True),
}
