"""The policy: what it accepts, and how it refuses."""

from __future__ import annotations

import pytest

from bear_otel.privacy import CustomPattern, PrivacyPolicy

_ACCEPTED = [
    r"EMP-\d+",
    r"EMP-\d{6}",
    r"\bACME\d{1,10}\b",
    r"cust_\w+\b",
    r"(?i)emp-[0-9a-f]{8}",
    r"(?:AB|CD)-\d{4}(?:-\d{2})?",
    r"(?:\d{3}-){2}\d{4}",
    r"(?<=id=)\d{3,9}",
    r"\w{1,32}@\w{1,32}",
    r"[A-Z]{2}\d{6}[A-Z]?",
]
_REFUSED = [
    (r"(a+)+$", "a repeat inside a repeat"),
    (r"(\w+\s?)*:", "a repeat inside a repeat"),
    (r"^(([a-z])+.)+[A-Z]([a-z])+$", "a repeat inside a repeat"),
    (r"(a|aa)+b", "a repeat of alternatives"),
    (r".*secret", "an unbounded repeat"),
    (r"\d+\d+x", "an unbounded repeat"),
    (r"X-[^\s]+$", "an unbounded repeat"),
    (r"a{1,5000}b", "an unbounded repeat"),
    (r"a(?=.*b)", "an unbounded repeat"),
    (r"\w{1,200}\w{1,200}!", "neighbouring repeats"),
    (r"(a)\1", "back-references"),
    (r"x*", "the empty text"),
    (r"(", "not a regular expression"),
    ("", "1 to 512 characters"),
    ("a" * 513, "1 to 512 characters"),
]


@pytest.mark.parametrize("pattern", _ACCEPTED)
def test_patterns_of_linear_time_are_accepted(pattern: str) -> None:
    """Repeats of single classes that cannot begin anywhere, or have a bound."""
    assert CustomPattern(name="own", pattern=pattern).compiled.pattern == pattern


@pytest.mark.parametrize(("pattern", "reason"), _REFUSED)
def test_patterns_that_may_be_slow_are_refused(pattern: str, reason: str) -> None:
    """The error names the pattern and says what is wrong with it."""
    with pytest.raises(ValueError, match="pattern 'own': ") as refused:
        CustomPattern(name="own", pattern=pattern)
    assert reason in str(refused.value)


@pytest.mark.parametrize("name", ["", "a b", "x" * 49, "né"])
def test_a_name_is_plain(name: str) -> None:
    """It stands in reports and explanations."""
    with pytest.raises(ValueError, match="pattern name"):
        CustomPattern(name=name, pattern="abc")


def test_values_out_of_range_are_refused() -> None:
    """The error says what is accepted."""
    with pytest.raises(ValueError, match="choose 'drop', 'pseudonym' or 'clear'"):
        PrivacyPolicy(personal="keep")  # type: ignore[arg-type]  the point of the test
    with pytest.raises(ValueError, match="choose 256 to 1048576 characters"):
        PrivacyPolicy(scan_limit=10)
