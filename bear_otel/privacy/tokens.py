"""Find credentials that show by their own format: vendor keys, JWT, PEM blocks, password hashes."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Final

from bear_otel.privacy.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bear_otel.privacy.source import Source

# Vendor, what every such token contains (the gate), and the token.
# Lengths are lower bounds: a token that was cut off is a token still.
_TABLE: Final[tuple[tuple[str, str, str], ...]] = (
    ("JWT", "eyJ", r"eyJ[\w-]{8,}(?:(?:\.|%2[Ee])[\w=-]*){0,4}"),
    ("AWS access key", "AKIA", r"AKIA[0-9A-Z]{12,20}"),
    ("AWS access key", "ASIA", r"ASIA[0-9A-Z]{12,20}"),
    ("AWS unique id", "AROA", r"AROA[0-9A-Z]{16,20}"),
    ("AWS unique id", "AIDA", r"AIDA[0-9A-Z]{16,20}"),
    ("AWS Bedrock key", "ABSK", r"ABSK[A-Za-z0-9+/=]{40,}"),
    ("AWS session token", "IQoJb3", r"IQoJb3JpZ2lu[\w+/=-]{20,}"),
    ("AWS session token", "FwoGZXIv", r"FwoGZXIv[\w+/=-]{20,}"),
    ("AWS MWS key", "amzn.mws", r"amzn\.mws\.[0-9a-f-]{16,}"),
    ("Google API key", "AIza", r"AIza[\w-]{30,}"),
    ("Google OAuth token", "ya29.", r"ya29\.[\w-]{16,}"),
    ("Google OAuth secret", "GOCSPX-", r"GOCSPX-[\w-]{20,}"),
    ("Google OAuth code", "4/0A", r"4/0A[\w-]{20,}"),
    ("Google refresh token", "1//0", r"1//0[\w-]{30,}"),
    ("Firebase token", "APA91b", r"(?:[\w-]{8,40}:)?APA91b[\w-]{40,}"),
    ("GitHub token", "gh", r"gh[pousr]_[A-Za-z0-9]{16,}"),
    ("GitHub token", "github_pat_", r"github_pat_\w{20,}"),
    ("GitLab token", "gl", r"gl(?:pat|ptt|dt|rt|cbt|ft|agent|soat|oas|imt|ffct)-[\w.-]{16,}"),
    ("GitLab token", "GR1348941", r"GR1348941[\w-]{16,}"),
    ("Slack token", "xox", r"xox[a-z]-(?:\d-)?[\w-]{8,}"),
    ("Slack token", "xapp-", r"xapp-\d-[\w-]{10,}"),
    ("Slack token", "xoxe.", r"xoxe\.[\w-]{10,}[\w.-]*"),
    (
        "Slack webhook",
        "hooks.slack",
        r"(?<=hooks\.slack\.com/)(?:services|workflows|triggers)/[\w/]{16,}",
    ),
    ("Discord webhook", "/api/webhooks/", r"(?<=/api/webhooks/)\d{10,}/[\w-]{20,}"),
    ("Teams webhook", "webhook.office.com", r"(?<=webhook\.office\.com/)webhookb2/[\w@/-]{20,}"),
    ("Stripe key", "_live_", r"(?:sk|rk|pk|acct)_live_\w{10,}"),
    ("Stripe key", "_test_", r"(?:sk|rk|pk)_test_\w{10,}"),
    ("webhook secret", "whsec_", r"whsec_[\w+/=]{16,}"),
    ("OpenAI key", "sk-", r"sk-(?:proj-|svcacct-|admin-|ant-|or-v1-|lf-)?[\w-]{16,}"),
    ("Langfuse key", "pk-lf-", r"pk-lf-[0-9a-f-]{30,}"),
    ("xAI key", "xai-", r"xai-[\w-]{20,}"),
    ("Groq key", "gsk_", r"gsk_\w{20,}"),
    ("Perplexity key", "pplx-", r"pplx-\w{20,}"),
    ("Replicate token", "r8_", r"r8_\w{20,}"),
    ("LangSmith key", "lsv2_", r"lsv2_(?:pt|sk)_\w{16,}"),
    ("Tavily key", "tvly-", r"tvly-[\w-]{16,}"),
    ("Pinecone key", "pcsk_", r"pcsk_\w{20,}"),
    ("Hugging Face token", "hf_", r"(?:api_org|hf)_[A-Za-z0-9]{16,}"),
    ("Twilio key", "SK", r"SK[0-9a-f]{32}"),
    ("Twilio account", "AC", r"AC[0-9a-f]{32}"),
    ("SendGrid key", "SG.", r"SG\.[\w-]{10,}\.[\w-]{10,}"),
    ("Mailgun key", "key-", r"key-[0-9a-f]{32}(?:-[0-9a-f]{8}-[0-9a-f]{8})?"),
    ("Mailchimp key", "-us", r"[0-9a-f]{32}-us\d{1,2}"),
    ("Brevo key", "xkeysib-", r"xkeysib-[\w-]{20,}"),
    ("Brevo key", "xsmtpsib-", r"xsmtpsib-[\w-]{20,}"),
    ("Postman key", "PMAK-", r"PMAK-[\w-]{20,}"),
    ("npm token", "npm_", r"npm_[A-Za-z0-9]{20,}"),
    ("PyPI token", "pypi-", r"pypi-AgE[\w-]{20,}"),
    ("RubyGems key", "rubygems_", r"rubygems_[0-9a-f]{30,}"),
    ("NuGet key", "oy2", r"oy2[a-z0-9]{40,}"),
    ("crates.io token", "cio", r"cio[A-Za-z0-9]{32}"),
    ("Docker token", "dckr_", r"dckr_(?:pat|oat)_[\w-]{20,}"),
    ("New Relic key", "NR", r"NR(?:AK|JS|II|BR|RA|IQ|AA)-[\w-]{16,}"),
    ("New Relic licence", "NRAL", r"[\w-]{30,40}NRAL"),
    ("Datadog key", "dd", r"dd(?:p|pub|a)_?[0-9a-zA-Z]{34,}"),
    ("Sentry token", "sntry", r"sntry[su]_[\w+/=-]{20,}"),
    (
        "Sentry DSN",
        "ingest",
        r"(?<=://)[0-9a-f]{16,}(?::[0-9a-f]{16,})?(?=@[\w.-]*(?:ingest|sentry))",
    ),
    ("Grafana token", "gl", r"gl(?:sa|c)_[\w+/=-]{20,}"),
    ("Grafana key", "eyJrIjoi", r"eyJrIjoi[\w+/=-]{20,}"),
    ("Honeycomb key", "hc", r"hc[abi]?i[kc]_[a-z0-9]{30,}"),
    ("PagerDuty key", "u+", r"u\+[\w-]{18}"),
    ("Atlassian token", "AT", r"AT(?:ATT3|CTT3|BB)[\w=-]{16,}"),
    ("Azure client secret", "Q~", r"[\w.~-]{3}\dQ~[\w.~-]{30,}"),
    ("Azure storage key", "==", r"(?<![\w+/])[A-Za-z0-9+/]{86}=="),
    ("Vault token", "hv", r"hv[sbr]\.[\w-]{20,}"),
    ("Terraform token", ".atlasv1.", r"\w{10,}\.atlasv1\.[\w-]{20,}"),
    ("DigitalOcean token", "_v1_", r"do[opr]_v1_[0-9a-f]{20,}"),
    ("Heroku key", "HRKU-", r"HRKU-[\w-]{30,}"),
    ("Fly token", "fm", r"(?:fm[12][ar]?_|FlyV1 )[\w+/=,-]{30,}"),
    ("Shopify token", "shp", r"shp(?:at|ca|pa|ss|ua)_[0-9a-fA-F]{20,}"),
    ("Square token", "sq0", r"sq0[a-z]{3}-[\w-]{20,}"),
    ("Square token", "EAAA", r"EAAA[\w-]{40,}"),
    ("Facebook token", "EAA", r"EAA[A-Za-z][A-Za-z0-9]{60,}"),
    ("PayPal token", "access_token$", r"access_token\$(?:production|sandbox)\$\w+\$\w{16,}"),
    ("Telegram token", ":AA", r"(?<!\d)\d{8,10}:AA[\w-]{32,}"),
    ("Discord token", ".", r"[MNO][A-Za-z\d_-]{22,27}\.[\w-]{6}\.[\w-]{27,}"),
    ("Linear key", "lin_", r"lin_(?:api|oauth)_\w{20,}"),
    ("Notion token", "ntn_", r"ntn_\w{20,}"),
    ("Notion token", "secret_", r"secret_[A-Za-z0-9]{32,}"),
    ("Figma token", "fig", r"fig[dou]_[\w-]{20,}"),
    ("Airtable token", "pat", r"pat[A-Za-z0-9]{14}\.[0-9a-f]{40,}"),
    ("HubSpot token", "pat-", r"pat-(?:na|eu)\d-[0-9a-f-]{30,}"),
    ("Databricks token", "dapi", r"dapi[0-9a-f]{32}(?:-\d)?"),
    ("Doppler token", "dp.", r"dp\.(?:pt|st|ct|sa|scim|audit)\.(?:\w+\.)?\w{30,}"),
    ("Supabase key", "sb", r"sb(?:p|_secret|_publishable)_[\w-]{20,}"),
    ("PlanetScale token", "pscale_", r"pscale_(?:tkn|pw|oauth)_[\w.-]{20,}"),
    ("Okta token", "00", r"(?<![\w-])00[A-Za-z0-9_-]{40}(?![\w-])"),
    ("age key", "AGE-SECRET", r"AGE-SECRET-KEY-1[0-9A-Z]{20,}"),
    ("password hash", "$2", r"\$2[abxy]?\$\d\d\$[./A-Za-z0-9]{22,}"),
    ("password hash", "$argon2", r"\$argon2(?:id|i|d)\$[\w$=,+/.-]{20,}"),
    ("password hash", "pbkdf2", r"pbkdf2[_:]\w{3,8}[$:]\d+[$:][\w+/=.]+[$:][\w+/=.-]{16,}"),
    ("password hash", "scrypt", r"\$?scrypt[:$][\w:$=,+/.-]{30,}"),
    ("password hash", "$", r"\$[156y]\$(?:rounds=\d+\$)?[\w./$]{4,}\$[\w./]{22,}"),
    ("LDAP hash", "{SSHA", r"\{SSHA(?:256|512)?\}[A-Za-z0-9+/=]{20,}"),
)
_PEM = re.compile(
    r"-----BEGIN (?P<what>[A-Z0-9 ]{1,40})-----(?:(?!-----END).){0,16384}(?:-----END [A"
    r"-Z0-9 ]{1,40}-----)?",
    re.DOTALL,
)


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """Compile the pattern of a vendor when the first such token may be there."""
    return re.compile(pattern if pattern.startswith("(?<") else r"(?<![A-Za-z0-9])" + pattern)


def find_tokens(source: Source) -> Iterator[Finding]:
    """Yield the credentials that a text shows by their format."""
    text = source.text
    if "-----BEGIN " in text:
        for found in _PEM.finditer(text):
            if "PUBLIC" not in found["what"]:
                yield Finding(found.start(), found.end(), "key", "PEM block")
    # The gates stand within a random run, or near to one: two UUIDs may stand between.
    near = "\n".join(text[max(0, start - 128) : end + 32] for start, end in source.random_runs)
    for vendor, gate, pattern in _TABLE if near else ():
        if gate in near:
            for found in _compiled(pattern).finditer(text):
                yield Finding(found.start(), found.end(), "token", vendor)
