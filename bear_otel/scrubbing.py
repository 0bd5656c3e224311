"""Turn the privacy settings into a scrubber, with the keys of its pseudonyms."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from bear_otel.privacy import CustomPattern, KeyFile, PrivacyPolicy, Pseudonymizer, Scrubber
from bear_otel.settings import ConfigurationError

if TYPE_CHECKING:
    from bear_otel.settings import PrivacySettings, Settings

logger = logging.getLogger("bear_otel")


def create_scrubber(settings: Settings) -> Scrubber:
    """Return the scrubber that the settings describe.

    Raises:
        ConfigurationError: A pattern that cannot be used, or two settings that exclude each other.
    """
    privacy = settings.privacy
    if privacy.allow_personal_data and privacy.anonymize_data:
        accepted = "not together with privacy.anonymize_data: choose clear text or pseudonyms"
        raise ConfigurationError("privacy.allow_personal_data", value=True, accepted=accepted)
    personal = "drop"
    if privacy.allow_personal_data:
        personal = "clear"
    elif privacy.anonymize_data:
        personal = "pseudonym"
    policy = PrivacyPolicy(
        personal=personal,
        allow_keys=frozenset(privacy.allow_keys),
        deny_keys=frozenset(privacy.deny_keys),
        patterns=tuple(_create_pattern(text) for text in privacy.patterns),
        strict=privacy.strict,
        content_allowed=settings.genai.content != "NO_CONTENT",
    )
    pseudonymizer = Pseudonymizer(load_keys(privacy)) if privacy.anonymize_data else None
    return Scrubber(policy, pseudonymizer)


def load_keys(settings: PrivacySettings) -> KeyFile | None:
    """Return the keys that processes share, without those that are too old."""
    if settings.key_file is None:
        return None
    try:
        keys = KeyFile(
            settings.key_file,
            # In periods, of which the shortest is a day; `forget_keys` is exact.
            kept_periods=settings.data_retention_days,
            destroyed=lambda period: logger.info("destroyed the pseudonym key of %s", period),
        )
        forget_keys(keys, settings.data_retention_days)
    except (OSError, ValueError) as error:
        accepted = f"a file that only this user may read and write ({error})"
        raise ConfigurationError("privacy.key_file", settings.key_file, accepted) from None
    return keys


def forget_keys(keys: KeyFile, days: int) -> None:
    """Destroy the keys that are older than `days`: what they named is forgotten then."""
    keys.destroy(before=int(time.time() // 86_400) - days)


def _create_pattern(text: str) -> CustomPattern:
    name, separator, expression = text.partition("=")
    if not separator:
        raise ConfigurationError("privacy.patterns", text, "name=regular expression")
    try:
        return CustomPattern(name=name.strip(), pattern=expression.strip())
    except ValueError as error:
        raise ConfigurationError("privacy.patterns", text, str(error)) from None
