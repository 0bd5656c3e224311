"""Replace the arguments of command lines, Redis commands and JSON queries; keep verbs and names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from bear_otel.privacy.findings import Finding
from bear_otel.privacy.keys import classify_name
from bear_otel.privacy.markers import is_filled
from bear_otel.privacy.shapes import is_placeholder, is_prose
from bear_otel.privacy.source import word_set

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bear_otel.privacy.source import Source

_FLAG = re.compile(
    r"""(?<![^\s'"\[(,])--?([A-Za-z][\w.-]{0,48})(?:["']?,?[ \t]+["']?|=)(?!-)"""
    r"""("[^"]{1,1024}"|'[^']{1,1024}'|[^\s"',\]]{1,1024})"""
)
# Tools whose short flags carry credentials.
_SHORT: Final = tuple(
    re.compile(pattern)
    for pattern in (
        (
            r"\b(?:mysql|mysqldump|mysqladmin|mariadb|mariadb-dump|mongo|mongosh|mongodump"
            r"|sshpass|[a-z]+ (?:registry )?login|cqlsh|sqlcmd|clickhouse-client|ldapsearch"
            r"|smbclient|zip|7z|unzip|rar)\b[^\n|;&]{0,512}?\s-(?:p|P|w)[ =]?(\"[^\"\n]+\""
            r"|'[^'\n]+'|[^\s-]\S*)"
        ),
        (
            r"\b(?:curl|wget|http|https|xh|svn|smbclient|mosquitto_pub)\b[^\n"
            r"|;]{0,1024}?\s-(?:u|-user|a|-auth)[ =]?['\"]?([^\s'\":]+:[^\s'\"]+)"
        ),
        r"\b(?:redis-cli|valkey-cli)\b[^\n|;]{0,256}?\s-a[ =]?(\"[^\"\n]+\"|'[^'\n]+'|\S+)",
        r"\b(?:net use|net user)\b[^\n|;]{0,256}?\s(?!/)(\S+)\s/(?:user|add)",
        r"\bsmbclient\b[^\n|;]{0,256}?\s-U[ =]?[^\s%]+%(\S+)",
        r"(?<![\w.])pass:([^\s'\"]+)(?=[^\n]{0,200}\s-|\s*$)",
        r"(?<!\S)/(?:p|pw|pwd|pass|password):(\S+)",
        r"\bsqlplus\s+(?:-\S+\s+)*([^\s/@-]+/[^\s@]+)",
        r"\bhtpasswd\s+-\w*b\w*\s+\S+\s+\S+\s+(\S+)",
        r"\b(?:lftp|ncftp\w*)\b[^\n|;]{0,128}?\s-u[ =]?[^\s,]+,([^\s,]+)",
        (
            r"\b(?:ipmitool|snmp\w+|xfreerdp|rdesktop|psexec|openssl)\b[^\n"
            r"|;]{0,256}?\s-(?:P|A|X|p|k)\s+([^\s-]\S*)"
        ),
        r"\bvault\s+login\s+(?:-\S+\s+)*([^\s=-]\S+)",
        (
            r"\becho\s+['\"]?([^\s'\"|]+)['\"]?\s*\|\s*(?:sudo\s+-S"
            r"|[a-z]+ (?:registry )?login|passwd|chpasswd)"
        ),
        r"\b\w*(?:Basic|Digest)Auth\(([^()\n]{3,256})\)",
        r"\b(?:requirepass|masterauth)\s+[\"']?([^\s\"']+)",
        r"(?:^|[\n\"'(>\[:])\s{0,2}AUTH\s+([^\s\"')]{1,256}(?:\s(?![a-z]+\b)[^\s\"')]{1,256})?)",
        r"\bAUTH\s+([^\s\"']{0,64}\d[^\s\"']{0,256})",
        r"\bHELLO\s+[23]\s+AUTH\s+(\S+\s+\S+)",
        r"\bIDENTIFIED\s+(?:WITH\s+\w+\s+)?BY\s+(?:PASSWORD\s+)?['\"]?([^\s'\"]+)",
        # Cisco: the digit says how it is written.
        r"\b(?:secret|password)\s[04-9]\s(?=\S*\d)(\S{8,})",
        r"\bACL\s+SETUSER\s+\S+\s[^\n]{0,200}?>(\S+)",
    )
)
_SHORT_GATES: Final = (
    "pass:",
    " /p",
    "sqlplus",
    "htpasswd",
    "lftp",
    "vault login",
    " -x",
    " -k ",
    " -p",
    " -w",
    " -u",
    " -a",
    "--user",
    "--auth",
    "net use",
    "echo ",
    "requirepass",
    "masterauth",
    "auth ",
    "identified",
    "setuser",
    "secret ",
    "password ",
    "auth(",
)
_REDIS_WRITE: Final = sorted(
    word_set("""
    set setex psetex setnx getset append mset msetnx hset hmset hsetnx lpush rpush lpushx rpushx
    linsert lset sadd srem sismember smove zadd zrem zscore publish xadd pfadd geoadd setrange
    getex eval evalsha json.set lrem hincrby incrby rename ft.search
""")
)
_REDIS = re.compile(
    rf"\b(?:{'|'.join(re.escape(c.upper()) for c in _REDIS_WRITE)})\s+(?!=|INTO|NULL"
    rf"|FROM)([^\s=;,]+)\s+(?!=|TO\b)([^\n]{{1,2048}})"
)
STORE_WORDS: Final = frozenset(word.partition(".")[0] for word in _REDIS_WRITE) | {"db"}
_MONITOR = re.compile(r"""^[+\d.]+ \[\d+ [\d.:a-z]+\] (?:"[^"]*" ?)+$""", re.MULTILINE)
_MONGO = re.compile(
    r"\bdb(?:\.[\w$]+|\[\"[\w$]+\"\]|\.getCollection\(['\"]\w+['\"]\)){0,3}\.(?:find"
    r"|findOne|insert|insertOne|insertMany|update|updateOne|updateMany|replaceOne"
    r"|delete|deleteOne|deleteMany|aggregate|count|countDocuments|distinct"
    r"|findOneAndUpdate|findAndModify|save|remove|createUser|auth|changeUserPassword"
    r"|updateUser)\("
)
_JSON_STRING = re.compile(
    r'"(?:[^"\\]|\\.)*"?|\'(?:[^\'\\]|\\.)*\'?|\b-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\b'
    r"|/[^/\s,]+/[a-z]*|\b(?:true|false|null|ObjectId|ISODate|NumberLong|UUID)\b"
)
# Keys of a JSON query whose text value names a thing of the database, not of a person.
_NAMES: Final = word_set(
    "find insert update delete aggregate count distinct collection index table tablenam"
    "e from localfield foreignfield as"
    " operation command findandmodify getmore create drop listindexes size limit skip b"
    "atchsize ordered multi upsert"
    " key type analyzer field path sort order _index lsid $db readpreference mode level"
    " w singlebatch explain field_name"
)


def find_flags(source: Source) -> Iterator[Finding]:
    """Yield the values of telling flags and the credentials of known tools."""
    text, lower = source.text, source.lower
    if " -" in text or text.startswith("-") or "'-" in text or '"-' in text:
        for found in _FLAG.finditer(text):
            hit = classify_name(found[1])
            if hit is None or hit[0] not in ("secret", "personal") or len(found[1]) < 2:
                continue
            start, end = found.span(2)
            if text[start] == "(":  # PowerShell: (ConvertTo-SecureString 'x' ...)
                inner = re.compile(r"['\"]([^'\"\n]{1,256})['\"]").search(text, start, start + 256)
                if inner is not None:
                    yield Finding(*inner.span(1), hit[1], f"flag: {hit[2]}")
                continue
            if found[2][0] in "\"'":
                start, end = start + 1, end - 1
            value = text[start:end]
            if (
                is_filled(value)
                or is_placeholder(value)
                or (is_prose(value) and hit[1] != "password")
            ):
                continue
            yield Finding(start, end, hit[1], f"flag: {hit[2]}")
    if any(gate in lower for gate in _SHORT_GATES):
        for pattern in _SHORT:
            for found in pattern.finditer(text):
                if not is_placeholder(found[1]) and not is_filled(found[1]):
                    yield Finding(
                        found.start(1), found.end(1), "password", "credentials of a command"
                    )


def find_in_arguments(arguments: Sequence[str], source: Source) -> dict[int, list[Finding]]:
    """Return the findings in an argument vector, by element, with offsets in the element.

    Args:
        arguments: The vector.
        source: Its elements, joined by one blank.
    """
    found = sorted(find_flags(source))
    by_element: dict[int, list[Finding]] = {}
    start = 0
    for place, argument in enumerate(arguments):
        end = start + len(argument)
        for one in found:
            if one.start < end and one.end > start:
                inside = one._replace(
                    start=max(0, one.start - start), end=min(one.end, end) - start
                )
                by_element.setdefault(place, []).append(inside)
        start = end + 1
    return by_element


def find_store_commands(source: Source) -> Iterator[Finding]:
    """Yield the values in Redis and MongoDB commands that stand in a text."""
    text, lower = source.text, source.lower
    for place in source.places(STORE_WORDS):
        found = _REDIS.match(text, place)
        if found is None:
            continue
        if (
            lower[: found.start()].rstrip().endswith(("update", "alter", "merge"))
            or " where " in lower
            or found[1].isupper()  # `AS EXPRESSLY SET FORTH IN THIS`
        ):
            continue
        start, end = found.span(2)
        if text[found.start() - 1 : found.start()] == "(":
            end = start + len(text[start:end].partition(")")[0])
        end = start + len(text[start:end].rstrip(")\"']"))
        if not is_placeholder(text[start:end]):
            yield Finding(start, end, "row", "Redis value", "?")
    if "db." in lower or "db[" in lower:
        position = 0
        while (found := _MONGO.search(text, position)) is not None:
            end = text.find("\n", found.end())
            position = len(text) if end < 0 else end
            yield from find_json_values(text, found.end(), position)
    if '] "' in text:
        for found in _MONITOR.finditer(text):
            for place, word in enumerate(re.finditer(r'"([^"]*)"', found.group())):
                if place > 1:
                    yield Finding(
                        found.start() + word.start(1),
                        found.start() + word.end(1),
                        "row",
                        "Redis value",
                        "?",
                    )


_REDIS_VERB = re.compile(
    r"\s*(?:SET|GET|SETEX|PSETEX|SETNX|GETSET|GETEX|GETDEL|APPEND|MSET|MSETNX|MGET|HSET"
    r"|HGET|HMSET|HMGET|HSETNX|HDEL|HGETALL|LPUSH|RPUSH|LPOP|RPOP|LRANGE|LREM|LINSERT"
    r"|SADD|SREM"
    r"|SISMEMBER|SMEMBERS|ZADD|ZREM|ZSCORE|ZRANGE\w*|PUBLISH|SUBSCRIBE|XADD|XREAD|PFADD"
    r"|GEOADD|EVAL|EVALSHA|DEL|UNLINK|EXISTS|EXPIRE|TTL|INCR|INCRBY|DECR|AUTH|HELLO"
    r"|KEYS|SCAN|CONFIG|ACL|FT\.\w+|JSON\.\w+)"
    r"(?=\s(?!\S+\s*(?:=|TO\b)|(?:SESSION|LOCAL|GLOBAL|TRANSACTION|NAMES|ROLE|TIME"
    r"|SCHEMA|CHARACTER|CONSTRAINTS)(?=\s|;|$)))",
    re.IGNORECASE,
)


def is_redis(text: str) -> bool:
    """Say whether a statement without a named system reads as a Redis command."""
    return _REDIS_VERB.match(text) is not None


def find_redis_arguments(text: str) -> Iterator[Finding]:
    """Yield all arguments of a text that is Redis commands, one a line."""
    for line in re.finditer(r"[^\n]+", text):
        words = re.match(
            r"\s*(?:[A-Za-z.]+(?:\s(?:SETUSER|SET|GET|LIST|INFO|CREATE|READ|ADD|LOAD"
            r"|KILL|SETNAME)\b)?)",
            line.group(),
            re.IGNORECASE,
        )
        start = line.start() + (words.end() if words else 0)
        for found in re.compile(r"\S+").finditer(text, start, line.end()):
            if found.group() != "?":
                yield Finding(found.start(), found.end(), "row", "Redis argument", "?")


def find_json_values(text: str, start: int = 0, end: int | None = None) -> Iterator[Finding]:
    """Yield the literals of a JSON-like query; keys and the names of collections stay."""
    end = len(text) if end is None else end
    key = ""
    for found in _JSON_STRING.finditer(text, start, end):
        value = found.group()
        if re.compile(r"\s*:").match(text, found.end()):
            key = value.strip("\"'")
            continue
        if value[0].isalpha() or value.strip("\"'") in ("", "?"):
            continue
        bare = re.compile(r"([\w$.]+)\s*:\s*$").search(
            text, max(0, found.start() - 48), found.start()
        )
        if bare is not None:
            key = bare[1]
        if (
            key.lower() in _NAMES and re.fullmatch(r"[\"'][\w.$-]{1,64}[\"']|\d{1,6}", value)
        ) or value[1:2] == "$":
            continue
        inner = 1 if value[0] in "\"'" else 0
        stop = found.end() - (1 if inner and value[-1] == value[0] and len(value) > 1 else 0)
        yield Finding(found.start() + inner, stop, "row", "JSON query value", "?")
