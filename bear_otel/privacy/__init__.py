"""Keep what is personal or secret from leaving: text and attributes in, a clean copy out."""

from bear_otel.privacy.keystore import KeyFile
from bear_otel.privacy.markers import DROPPED
from bear_otel.privacy.policy import CustomPattern, PrivacyPolicy
from bear_otel.privacy.pseudonyms import Pseudonymizer
from bear_otel.privacy.scrubber import Explanation, Scrubber

__all__ = [
    "DROPPED",
    "CustomPattern",
    "Explanation",
    "KeyFile",
    "PrivacyPolicy",
    "Pseudonymizer",
    "Scrubber",
]
