"""Secrets that one recognises by their prefix, as their issuers document it.

Every pattern starts with a boundary and takes a run of characters whole and for good (`{n,}+`), so that no
place in the text is looked at more than a few times, and no tail of a long secret stays behind.
"""

import re

from ibex.memory.writing.detection.credentials.rule import SecretRule
from ibex.memory.writing.detection.finding import Severity

_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
# What a token may not directly follow: it would be the middle of something else.
_START = r"(?<![A-Za-z0-9_-])"
_WORD = r"[A-Za-z0-9_-]"


def _rule(name: str, needle: str, body: str, kind: str = "api_key", *more: str) -> SecretRule:
    return SecretRule(name, kind, (needle, *more), re.compile(_START + body))


PROVIDER_RULES = (
    _rule("ibex_token", "ibex_pat_", rf"ibex_pat_{_UUID}_[0-9A-Za-z]{{20,}}+", "access_token"),
    _rule("anthropic_key", "sk-ant-", rf"sk-ant-{_WORD}{{20,}}+"),
    _rule("openai_project_key", "sk-", rf"sk-(?:proj|svcacct|admin|None)-{_WORD}{{20,}}+"),
    _rule("openrouter_key", "sk-or-", r"sk-or-v1-[0-9a-f]{32,}+"),
    # The user keys of OpenAI, and the many services that took over their form. A digit and a capital are
    # asked for, since `sk-` also begins package names.
    _rule("openai_key", "sk-", rf"sk-(?={_WORD}{{0,60}}[0-9])(?={_WORD}{{0,60}}[A-Z]){_WORD}{{20,}}+"),
    _rule("openai_key", "sk-", r"sk-[0-9a-f]{32,}+"),
    _rule(
        "aws_access_key_id",
        "AKIA",
        r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}(?![A-Za-z0-9])",
        "api_key",
        "ASIA",
        "ABIA",
        "ACCA",
    ),
    _rule("google_api_key", "AIza", rf"AIza{_WORD}{{35,}}+"),
    _rule("google_oauth_token", "ya29.", r"ya29\.[A-Za-z0-9_.-]{20,}+", "access_token"),
    _rule("google_client_secret", "GOCSPX-", rf"GOCSPX-{_WORD}{{20,}}+", "client_secret"),
    _rule("google_refresh_token", "1//0", rf"1//0{_WORD}{{30,}}+", "access_token"),
    _rule(
        "azure_storage_key",
        "Key=",
        r"(?:Account|SharedAccess|Primary|Secondary)Key=(?P<secret>[A-Za-z0-9+/]{40,}+={0,2})",
    ),
    _rule(
        "azure_client_secret",
        "Q~",
        r"[A-Za-z0-9_~.-]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,}+",
        "client_secret",
    ),
    _rule("azure_sas_signature", "sig=", r"sig=(?P<secret>[A-Za-z0-9%+/]{43,}+=?)", "signature"),
    _rule("github_token", "gh", r"gh[pousr]_[A-Za-z0-9]{36,}+", "access_token"),
    _rule("github_fine_grained_token", "github_pat_", r"github_pat_[A-Za-z0-9_]{40,}+", "access_token"),
    _rule(
        "gitlab_token",
        "gl",
        rf"gl(?:pat|ptt|dt|rt|cbt|ft|soat|imt|agent|oas|ffct)-(?:{_WORD}|\.){{20,}}+",
        "access_token",
    ),
    _rule("slack_token", "xox", r"xox[abeoprs](?:\.xox[bp])?-[A-Za-z0-9-]{10,}+", "access_token"),
    _rule("slack_app_token", "xapp-", r"xapp-[0-9]-[A-Za-z0-9-]{20,}+", "access_token"),
    _rule(
        "slack_webhook",
        "hooks.slack.com",
        r"hooks\.slack\.com/(?:services|workflows|triggers)/(?P<secret>[A-Za-z0-9/_-]{20,}+)",
        "webhook",
    ),
    _rule(
        "discord_webhook",
        "/webhooks/",
        r"discord(?:app)?\.com/api/webhooks/[0-9]{5,25}/(?P<secret>[A-Za-z0-9_-]{30,}+)",
        "webhook",
    ),
    _rule("telegram_token", ":AA", r"[0-9]{8,10}:AA[A-Za-z0-9_-]{33}(?![A-Za-z0-9_-])", "access_token"),
    _rule("stripe_key", "k_live_", r"(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{16,}+", "api_key", "k_test_"),
    _rule("signing_secret", "whsec_", r"whsec_[A-Za-z0-9+/=]{20,}+", "client_secret"),
    _rule("twilio_key", "SK", r"SK[0-9a-f]{32}(?![A-Za-z0-9])"),
    _rule("sendgrid_key", "SG.", rf"SG\.{_WORD}{{16,}}+\.{_WORD}{{16,}}+"),
    _rule("mailgun_key", "key-", r"key-[0-9a-f]{32}(?![A-Za-z0-9])"),
    _rule("npm_token", "npm_", r"npm_[A-Za-z0-9]{36,}+", "access_token"),
    _rule("pypi_token", "pypi-", rf"pypi-Ag{_WORD}{{50,}}+", "access_token"),
    _rule("huggingface_token", "hf_", r"hf_[A-Za-z0-9]{30,}+", "access_token"),
    _rule("replicate_token", "r8_", r"r8_[A-Za-z0-9]{37,}+", "access_token"),
    _rule("groq_key", "gsk_", r"gsk_[A-Za-z0-9]{40,}+"),
    _rule("xai_key", "xai-", r"xai-[A-Za-z0-9]{60,}+"),
    _rule("perplexity_key", "pplx-", r"pplx-[A-Za-z0-9]{40,}+"),
    _rule("databricks_token", "dapi", r"dapi[0-9a-f]{32}(?:-[0-9])?(?![A-Za-z0-9])", "access_token"),
    _rule("digitalocean_token", "_v1_", r"do[opr]_v1_[0-9a-f]{64}", "access_token"),
    _rule("shopify_token", "shp", r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32,}+", "access_token"),
    _rule("vault_token", "hvs.", rf"hvs\.{_WORD}{{24,}}+", "access_token"),
    _rule("docker_token", "dckr_", rf"dckr_[a-z]{{3}}_{_WORD}{{20,}}+", "access_token"),
    _rule("age_key", "AGE-SECRET-KEY-1", r"AGE-SECRET-KEY-1[0-9A-Z]{50,}+", "private_key"),
    # RFC 7519: two JSON objects in base64url, each beginning with `{"`, and a signature.
    _rule("jwt", "eyJ", rf"eyJ{_WORD}{{10,}}+\.eyJ{_WORD}{{10,}}+(?:\.{_WORD}{{0,}}+)?", "access_token"),
    # RFC 7516: five parts, of which only the header is readable.
    _rule("jwe", "eyJ", rf"eyJ{_WORD}{{10,}}+(?:\.{_WORD}{{0,}}+){{4}}", "access_token"),
    SecretRule(
        "url_password",
        "password",
        ("://",),
        # RFC 3986, section 3.2.1: what stands between the first colon of the authority and its `@`.
        re.compile(
            r"(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s:@/\"'<>\[\]]{0,128}"
            r":(?P<secret>(?!\$\{|\{\{|<)[^\s@/\"'<>\[\]]{1,256})@"
        ),
        Severity.CRITICAL,
    ),
)
