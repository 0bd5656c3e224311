"""What the errors of drivers, validators and Python itself quote."""

# The texts stand as applications write them: long lines and foreign signs are the point.
# ruff: noqa: E501

from __future__ import annotations

import pytest
from marks import expected, plain

from bear_otel.privacy import Scrubber

# What must go stands between « and ».
_TEXTS = [
    "'«Hedy Lamarr»' is not of type 'integer'",
    "{'age': ['Not a valid integer: «Hedy Lamarr»']}",
    "invalid phone number: «Hedy Lamarr»",
    'Cannot deserialize value of type `int` from String "«Hedy Lamarr»"',
    'strconv.Atoi: parsing "«Hedy Lamarr»": invalid syntax',
    "argument --n: invalid choice: '«Hedy Lamarr»' (choose from 'a', 'b')",
    "BigQuery: Bad int64 value: «Hedy Lamarr»",
    "DB::Exception: Cannot parse string «Hedy Lamarr» as Date",
    'cassandra: Invalid STRING constant («Hedy Lamarr») for "id"',
    'ZodError: [{"expected":"number","received":"«Hedy Lamarr»","path":["a"]}]',
    "DETAIL:  Key (email)=(«alice@example.com») already exists.",
    'DETAIL: Key (a, b)=(«1, (x)») is not present in table "t".',
    "DETAIL:  Failing row contains («1, alice, a@b.c, null»).",
    'invalid input syntax for type integer: "«abc»"',
    "Duplicate entry '«alice@x.c»' for key 'users.email'",
    "The duplicate key value is («alice, 3»).",
    'E11000 duplicate key error collection: db.users index: email_1 dup key: {« email: "a@b.c" »}',
    "[parameters: «('alice@x.c', 'pw')»]",
    "[parameters: «{'a': 'b'}»]",
    "[generated in 0.00012s] «('alice', 42)»",
    "1 validation error for User\nage\n  Input should be a valid integer [type=int_parsing, input_value=«'abc'», input_type=str]",
    "[{'type': 'missing', 'loc': ('body', 'x'), 'msg': 'Field required', 'input': «{'email': 'a@b.c'}»}]",
    "ValueError: invalid literal for int() with base 10: '«abc»'",
    "could not convert string to float: '«12x»'",
    "'«bob»' is not a valid Color",
    "time data '«12-x»' does not match format '%Y'",
    "Access denied for user '«bob»'@'localhost' (using password: YES)",
    'password authentication failed for user "«bob»"',
    "Truncated incorrect DOUBLE value: '«abc»'",
    "Conversion failed when converting the varchar value '«abc»' to data type int.",
    "binding parameter [1] as [VARCHAR] - [«alice»]",
    "parameters: $1 = '«alice»', $2 = '«42»'",
    "Command # 1 («SET k v») of pipeline",
    'psycopg2.errors.UniqueViolation: duplicate key value violates unique constraint "users_email_key"\nDETAIL:  Key (email)=(«jane@x.com») already exists.',
    "Key (lower(email::text))=(«jane@x.com») already exists.",
    'null value in column "email" violates not-null constraint\nDETAIL:  Failing row contains («42, null, Jane Doe, 1985-03-12»).',
    'invalid input value for enum mood: "«sad jane»"',
    'invalid byte sequence for encoding "UTF8": 0x00',
    'date/time field value out of range: "«1985-13-12»"',
    'value "«99999999999»" is out of range for type integer',
    "(1062, \"Duplicate entry '«jane@x.com»' for key 'users.uq_email'\")",
    "(1366, \"Incorrect integer value: '«Jane»' for column 'age' at row 1\")",
    "(1406, \"Data too long for column 'name' at row 1\")",
    "Violation of UNIQUE KEY constraint 'UQ_Email'. Cannot insert duplicate key in object 'dbo.Users'. The duplicate key value is («jane@x.com»).",
    "ORA-00001: unique constraint (APP.UQ_EMAIL) violated",
    "sqlite3.IntegrityError: UNIQUE constraint failed: users.email",
    "pymongo.errors.DuplicateKeyError: E11000 duplicate key error collection: app.users index: email_1 dup key: {« email: \"jane@x.com\" »}, full error: {'index': 0, 'code': 11000}",
    "[SQL: INSERT INTO users (email) VALUES (?)]\n[parameters: «('jane@x.com',)»]\n(Background on this error at: https://sqlalche.me/e/20/gkpj)",
    "WRONGPASS invalid username-password pair or user is disabled.",
    "value is not a valid email address [type=value_error, input_value=«'jane at x'», input_type=str]",
    "Input should be a valid date [type=date_from_datetime_parsing, input_value=«'12.3.85'», input_type=str]",
    '{"detail":[{"type":"int_parsing","loc":["path","id"],"msg":"Input should be a valid integer","input":"«jane»"}]}',
    "ValueError: time data '«1985/3/12»' does not match format '%Y-%m-%d'",
    "ValueError: could not convert string to float: '«12,5»'",
    "decimal.InvalidOperation: [<class 'decimal.ConversionSyntax'>]",
    "UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte",
    "json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)",
    "django.db.utils.DataError: value too long for type character varying(10)",
    "ValueError: '«jane doe»' is not a valid Gender",
    "email.errors.HeaderParseError: header value appears to contain an embedded header",
    "LDAP bind failed for uid=«jdoe»,ou=people,dc=example,dc=com",
    "smtplib.SMTPRecipientsRefused: {'«jane@x.com»': (550, b'No such user')}",
    "stripe.error.CardError: Your card was declined.",
    "openai.AuthenticationError: Error code: 401 - {'error': {'message': 'Incorrect API key provided: «sk-abcd1234efgh5678ijkl.» You can find your API key at https://platform.openai.com/account/api-keys.'}}",
    "botocore.exceptions.ClientError: An error occurred (AccessDenied) when calling the GetObject operation: Access Denied",
    "requests.exceptions.HTTPError: 404 Client Error: Not Found for url: https://api.example.com/v1/x?api_key=«abc»",
]


@pytest.mark.parametrize("marked", _TEXTS)
def test_quoted_data_goes_and_the_error_stays(marked: str) -> None:
    """The data between the marks becomes a marker; the error's own words stay."""
    clean = Scrubber().scrub_text(plain(marked), door="log.body")

    assert expected(marked).fullmatch(clean), clean
