"""Development cases of data stores and programs: SQL, driver errors, validation, GenAI."""

# ruff: noqa: E501, ISC004 - a record is easier to read in one piece

from __future__ import annotations

from .case import Secret, block, gather

_SQL = gather(
    block(
        "sql_literal.string",
        "span.attribute",
        "⟪SELECT * FROM users WHERE email =⟫ '⟦$email⟧'",
        "⟪SELECT id FROM customers WHERE last_name =⟫ '⟦Lovelace⟧' ⟪AND first_name =⟫ '⟦Augusta⟧'",
        "⟪INSERT INTO notes (body) VALUES⟫ ('⟦met O''Brien at the clinic⟧')",
        "⟪INSERT INTO people VALUES⟫ (1, '⟦Alan Turing⟧', '⟦1912-06-23⟧'), (2, '⟦Kurt Gödel⟧', '⟦1906-04-28⟧')",
        "⟪UPDATE accounts SET password_hash =⟫ '⟦$b64:44⟧' ⟪WHERE id =⟫ 7",
        "⟪UPDATE users SET address =⟫ '⟦742 Evergreen Terrace⟧', ⟪city =⟫ '⟦Springfield⟧'",
        "⟪DELETE FROM sessions WHERE token =⟫ '⟦$b62:40⟧'",
        "⟪SELECT * FROM patients WHERE diagnosis LIKE⟫ '%⟦diabetes mellitus⟧%'",
        "⟪SELECT name FROM staff WHERE name IN⟫ ('⟦Hedy Lamarr⟧', '⟦Katherine J⟧')",
        "⟪select u.id from users u where u.phone =⟫ '⟦$phone⟧' ⟪limit⟫ 1",
        "⟪CREATE USER app WITH PASSWORD⟫ '⟦$pw:simple⟧'",
        "⟪ALTER USER⟫ 'app'@'%' IDENTIFIED BY '⟦$pw:simple⟧'",
        "⟪CALL register_user⟫('⟦$email⟧', '⟦Rosalind F⟧')",
        '⟪SELECT * FROM t WHERE payload @>⟫ \'{"name": "⟦Marie Curie⟧"}\'',
        "⟪SELECT⟫ E'⟦it\\'s Dorothy⟧' ⟪AS x⟫",
        "⟪SELECT * FROM t WHERE s =⟫ $$⟦dollar quoted Emmy⟧$$",
        "⟪SELECT * FROM t WHERE s =⟫ $body$⟦tagged quote Noether⟧$body$ ⟪AND x =⟫ 1",
        "⟪SELECT * FROM [Users] WHERE [Name] =⟫ N'⟦Žofie Nováková⟧'",
        "⟪SELECT * FROM t WHERE s =⟫ q'[⟦it's Sofia⟧]'",
        "⟪SELECT * FROM t WHERE h =⟫ x'⟦$hex:32⟧'",
        "⟪SELECT * FROM t WHERE s =⟫ '⟦cut off in the mid⟧",
        "⟪SELECT * FROM `users` WHERE `email` =⟫ '⟦$email⟧' ⟪ORDER BY `id` DESC⟫",
        '⟪SELECT "users"."id" FROM "users" WHERE "users"."email" =⟫ \'⟦$email⟧\' ⟪LIMIT⟫ 21',
        "⟪WITH c AS (SELECT id FROM users WHERE name =⟫ '⟦Grace Hopper⟧'⟪) SELECT * FROM c⟫",
        "⟪SELECT * FROM t WHERE a =⟫ '⟦first secret⟧' -- note\n⟪AND b =⟫ '⟦second secret⟧'",
        "⟪MERGE INTO t USING s ON⟫ (t.mail = '⟦$email⟧') ⟪WHEN MATCHED THEN DELETE⟫",
        "⟪EXEC dbo.FindPatient⟫ @name = N'⟦Elizabeth B⟧', @ssn = '⟦$id:us⟧'",
        key="db.query.text",
        times=2,
    ),
    block(
        "sql_literal.number",
        "span.attribute",
        "⟪SELECT * FROM people WHERE ssn =⟫ ⟦536904399⟧",
        "⟪UPDATE cards SET pan =⟫ ⟦$card:-plain⟧ ⟪WHERE id =⟫ 3",
        "⟪SELECT * FROM p WHERE phone IN⟫ (⟦4915112345678⟧, ⟦33612345678⟧)",
        "⟪INSERT INTO g (lat, lon) VALUES⟫ (⟦52.520008⟧, ⟦13.404954⟧)",
        "⟪SELECT * FROM u WHERE salary >⟫ ⟦87250.50⟧ ⟪AND id =⟫ ⟦4821307⟧",
        key="db.query.text",
    ),
    block(
        "sql_literal.legacy_key",
        "span.attribute",
        "⟪SELECT * FROM users WHERE email =⟫ '⟦$email⟧'",
        "⟪SELECT * FROM users WHERE nick =⟫ '⟦dark_knight_7⟧' ⟪LIMIT⟫ 1",
        "⟪INSERT INTO audit (who) VALUES⟫ ('⟦Barbara L⟧')",
        key="db.statement",
    ),
    block(
        "sql_literal.dialect",
        "span.attributes",
        {
            "db.system.name": "mysql",
            "db.query.text": '⟪SELECT * FROM users WHERE name =⟫ "⟦Grace Hopper⟧"',
        },
        {
            "db.system": "mysql",
            "db.statement": "⟪SELECT * FROM t WHERE a =⟫ '⟦it\\'s Annie Easley⟧' ⟪AND b =⟫ 1",
        },
        {
            "db.system.name": "microsoft.sql_server",
            "db.query.text": "⟪SELECT * FROM [dbo].[u] WHERE [mail] =⟫ '⟦$email⟧'",
        },
        {
            "db.system.name": "postgresql",
            "db.query.text": '⟪SELECT "name" FROM "users" WHERE "city" =⟫ \'⟦Wuppertal⟧\'',
            "db.query.parameter.0": "⟦Wuppertal Ost⟧",
        },
        {
            "db.system.name": "sqlite",
            "db.query.text": "⟪SELECT * FROM t WHERE a =⟫ '⟦Mary Jackson⟧'",
            "db.operation.name": "⟪SELECT⟫",
        },
        {
            "db.system.name": "bigquery",
            "db.query.text": '⟪SELECT * FROM `p.d.t` WHERE n =⟫ "⟦Annie Jump⟧"',
        },
        core=False,
    ),
    block(
        "sql_literal.text",
        "log.body",
        "⟪duration: 12.3 ms  statement: SELECT * FROM users WHERE email =⟫ '⟦$email⟧'",
        "⟪(0.001) SELECT id FROM shop_user WHERE email LIKE⟫ '%⟦$email⟧%' ⟪; args=⟫('%⟦$email⟧%',)",
        "⟪DETAIL:  parameters:⟫ $1 = '⟦$email⟧', $2 = '⟦Katherine Johnson⟧'",
        "⟪sqlalchemy.engine.Engine [generated in 0.00016s]⟫ ('⟦$email⟧', '⟦Hedy Lamarr⟧')",
        "⟪Slow query: INSERT INTO users (name, email) VALUES⟫ ('⟦Alan Turing⟧', '⟦$email⟧')",
        times=2,
    ),
    block(
        "sql_literal.parameter",
        "span.attribute",
        ("db.query.parameter.email", "⟦$email⟧"),
        ("db.query.parameter.0", "⟦Ada Lovelace⟧"),
        ("db.query.parameter.1", Secret(536904399)),
        ("db.statement.parameters", "('⟦$email⟧', '⟦Grace Hopper⟧')"),
        ("db.operation.parameter.name", "⟦Rosalind Franklin⟧"),
    ),
    block(
        "sql_literal.span_name",
        "span.name",
        "⟪SELECT * FROM users WHERE email=⟫'⟦$email⟧'",
        "⟪INSERT INTO users VALUES⟫ ('⟦$email⟧')",
    ),
)

_SA = "⟪(Background on this error at: https://sqlalche.me/e/20/gkpj)⟫"
_DB_ERRORS = (
    "⟪(sqlite3.IntegrityError) UNIQUE constraint failed: users.email⟫\n"
    "⟪[SQL: INSERT INTO users (email, name) VALUES (?, ?)]⟫\n"
    f"[parameters: ('⟦$email⟧', '⟦Ada Lovelace⟧')]\n{_SA}",
    "⟪(psycopg.errors.UniqueViolation) duplicate key value violates unique constraint⟫ "
    '"users_email_key"\nDETAIL:  Key (email)=(⟦$email⟧) already exists.\n'
    "⟪[SQL: INSERT INTO users (email) VALUES (%(email)s)]⟫\n"
    f"[parameters: {{'email': '⟦$email⟧'}}]\n{_SA}",
    '⟪duplicate key value violates unique constraint⟫ "people_name_born_key"\n'
    "DETAIL:  Key (name, born)=(⟦Ada Lovelace, 1815-12-10⟧) ⟪already exists.⟫",
    '⟪null value in column "name" of relation "users" violates not-null constraint⟫\n'
    "DETAIL:  Failing row contains (3, ⟦$email⟧, null, ⟦Łódź street 4⟧, null).",
    '⟪new row for relation "users" violates check constraint "users_age_check"⟫\n'
    "DETAIL:  Failing row contains (4, ⟦$email⟧, ⟦Carol Shaw⟧, -4, null).",
    '⟪invalid input syntax for type integer:⟫ "⟦$email⟧"\n'
    "LINE 1: select * from users where age='⟦$email⟧'\n                ^",
    '⟪date/time field value out of range:⟫ "⟦19/19/1984⟧"',
    '⟪invalid input syntax for type json⟫\nDETAIL:  Token "⟦hunter2secret⟧" is invalid.\n'
    'CONTEXT:  JSON data, line 1: {"pw": ⟦hunter2secret⟧...',
    '⟪insert or update on table "orders" violates foreign key constraint⟫\n'
    'DETAIL:  Key (customer)=(⟦mgarcia-77⟧) ⟪is not present in table⟫ "customers".',
    "⟪unterminated quoted string at or near⟫ \"'⟦$email⟧\"\nLINE 1: select '⟦$email⟧",
    "⟪invalid input for query argument $1:⟫ '⟦$email⟧' "
    "⟪('str' object cannot be interpreted as an integer)⟫",
    "⟪(pymysql.err.IntegrityError) (1062,⟫ \"⟪Duplicate entry⟫ '⟦$email⟧' ⟪for key⟫ 'users.email'\")",
    "⟪Duplicate entry⟫ '⟦Lovelace-Ada⟧' ⟪for key⟫ 'people.name'",
    "⟪Incorrect integer value:⟫ '⟦$email⟧' ⟪for column 'age' at row 1⟫",
    "⟪Truncated incorrect DOUBLE value:⟫ '⟦Carol Shaw⟧'",
    "⟪E11000 duplicate key error collection: shop.users index: email_1 dup key:⟫ "
    '{ email: "⟦$email⟧" }',
    "⟪E11000 duplicate key error collection: shop.users index: email_1 dup key:⟫ "
    "{ email: \"⟦$email⟧\" }, full error: {'⟪index⟫': 0, 'code': 11000, "
    "'keyPattern': {'email': 1}, 'keyValue': {'email': '⟦$email⟧'}}",
    "⟪Violation of UNIQUE KEY constraint 'UQ_mail'. Cannot insert duplicate key in object "
    "'dbo.users'.⟫ The duplicate key value is (⟦$email⟧).",
    "⟪Conversion failed when converting the nvarchar value⟫ '⟦Carol Shaw⟧' ⟪to data type int.⟫",
    '⟪Constraint Error: Duplicate key⟫ "email: ⟦$email⟧" ⟪violates primary key constraint.⟫',
    "⟪Conversion Error: Could not convert string⟫ '⟦Carol Shaw 77⟧' ⟪to INT32⟫",
    "⟪Field 'id' expected a number but got⟫ '⟦$email⟧'.",
    "⟪(1064, \"You have an error in your SQL syntax; check the manual near⟫ '⟦Brien⟧' at line 1\")",
)

_ERRORS = gather(
    block("db_error.message", "exception.message", *_DB_ERRORS),
    block("db_error.status", "status.description", *_DB_ERRORS[::3]),
    block("db_error.log", "log.body", *_DB_ERRORS[1::3]),
    block(
        "db_error.stacktrace",
        "exception.stacktrace",
        "⟪Traceback (most recent call last):\n"
        '  File "/app/venv/lib/python3.11/site-packages/sqlalchemy/engine/base.py", line 1967, '
        "in _exec_single_context\n    self.dialect.do_execute(⟫\n"
        "⟪sqlalchemy.exc.IntegrityError: (sqlite3.IntegrityError) UNIQUE constraint failed:⟫ "
        "users.email\n[SQL: INSERT INTO users (email) VALUES (?)]\n"
        f"[parameters: ('⟦$email⟧',)]\n{_SA}",
        '⟪Traceback (most recent call last):\n  File "/app/db.py", line 12, in save⟫\n'
        "    cur.execute(\"SELECT * FROM u WHERE mail = '⟦$email⟧'\")\n"
        "⟪psycopg.errors.UniqueViolation: duplicate key value⟫\n"
        "DETAIL:  Key (email)=(⟦$email⟧) already exists.",
        '⟪Traceback (most recent call last):\n  File "/app/api.py", line 8, in get_user⟫\n'
        "    raise KeyError(email)\n⟪KeyError:⟫ '⟦$email⟧'",
        '⟪Traceback (most recent call last):\n  File "/app/pay.py", line 3, in <module>⟫\n'
        '    charge("⟦$card:-plain⟧")\n⟪RuntimeError: declined⟫',
        '⟪Traceback (most recent call last):\n  File "/app/conf.py", line 3, in <module>⟫\n'
        '    connect(password="⟦$pw:simple⟧")\n⟪ConnectionError: refused⟫',
        "⟪Traceback (most recent call last):⟫\n"
        '  File "/home/⟦alice.smith⟧/app/main.py", line 1, in <module>\n⟪ZeroDivisionError⟫',
        times=2,
    ),
    block(
        "validation.pydantic",
        "exception.message",
        "⟪1 validation error for User\nage\n  Input should be a valid integer, unable to parse string "
        "as an integer [type=int_parsing,⟫ input_value='⟦forty-two Bob⟧', ⟪input_type=str]⟫\n"
        "    ⟪For further information visit https://errors.pydantic.dev/2.10/v/int_parsing⟫",
        "⟪1 validation error for Payment\ncard\n  String should have at most 5 characters "
        "[type=string_too_long,⟫ input_value='⟦$card:-plain⟧', ⟪input_type=str]⟫",
        "⟪1 validation error for Login\npassword\n  String should have at least 12 characters "
        "[type=string_too_short,⟫ input_value='⟦$pw:simple⟧', ⟪input_type=str]⟫",
        "⟪1 validation error for P\nwho\n  Input should be a valid string [type=string_type,⟫ "
        "input_value={'name': '⟦Carol Shaw⟧', 'zip': '⟦94043⟧'}, ⟪input_type=dict]⟫",
        "[{'type': 'int_parsing', '⟪loc⟫': ('body', 'age'), 'msg': '⟪Input should be a valid "
        "integer⟫', 'input': '⟦$email⟧'}]",
        '[{"type":"string_type","⟪loc⟫":["body","name"],"msg":"⟪Input should be a valid string⟫",'
        '"input":{"first":"⟦Augusta⟧"}}]',
        times=2,
    ),
    block(
        "validation.other",
        "exception.message",
        "'⟦$email⟧' ⟪is too long⟫\n\n⟪Failed validating 'maxLength' in schema:⟫\n    {'maxLength': 4}"
        "\n\n⟪On instance:⟫\n    '⟦$email⟧'",
        "⟪'zip' is a required property⟫\n\n⟪On instance:⟫\n    {'email': '⟦$email⟧', 'ssn': '⟦$id:us⟧'}",
        "⟪Parameter validation failed:\nInvalid type for parameter Key.email, value:⟫ ⟦$email⟧, "
        "⟪type: <class 'str'>, valid types: <class 'dict'>⟫",
        "⟪invalid literal for int() with base 10:⟫ '⟦$card:-dash⟧'",
        "⟪(\"'email' must be <class 'int'> (got⟫ '⟦$email⟧' ⟪that is a <class 'str'>).\"⟫",
        "⟪'utf-8' codec can't decode: user⟫ ⟦$email⟧",
        times=2,
    ),
    block(
        "validation.guess",
        "exception.message",
        "⟪(1054, \"Unknown column⟫ '⟦hopper.grace⟧' ⟪in 'where clause'\")⟫",
        "⟪time data⟫ '⟦19/03/1984⟧' ⟪does not match format '%Y-%m-%d'⟫",
        "⟪invalid literal for int() with base 10:⟫ '⟦Carol Shaw⟧'",
        "⟪could not convert string to float:⟫ '⟦Carol Shaw⟧'",
        core=False,
    ),
)

_STORES = gather(
    block(
        "redis.command",
        "span.attribute",
        ("db.query.text", "⟪SET⟫ user:⟦$email⟧:name ⟦Hedy Lamarr⟧"),
        ("db.query.text", "⟪AUTH⟫ default ⟦$pw:simple⟧"),
        ("db.statement", "⟪HSET⟫ profile:7 phone ⟦$phone:plain⟧ pin ⟦90210⟧"),
        ("db.statement", "⟪SETEX⟫ session:⟦$b62:32⟧ 3600 x"),
        ("db.statement", "⟪GET⟫ token:⟦$jwt:HS256⟧"),
        times=2,
    ),
    block(
        "redis.system",
        "span.attributes",
        {"db.system.name": "redis", "db.query.text": "⟪SET⟫ note:7 ⟦see-Dr-House⟧"},
        {"db.system": "redis", "db.statement": "⟪LPUSH⟫ names ⟦Hopper⟧ ⟦Lovelace⟧"},
        {"db.system.name": "redis", "db.query.text": "⟪FT.SEARCH⟫ idx ⟦@name:Carol⟧"},
        {"db.system.name": "redis", "redis.search.xdoc_7.name": "⟦Carol Shaw⟧"},
        core=False,
    ),
    block(
        "mongo.command",
        "span.attribute",
        ("db.query.text", '{"⟪find⟫":"users","filter":{"email":"⟦$email⟧"}}'),
        ("db.statement", "⟪find⟫ {'email': '⟦$email⟧'}"),
        ("db.query.text", '⟪insert⟫ {"name":"⟦Carol Shaw⟧","ssn":"⟦$id:us⟧"}'),
        ("db.statement", '⟪aggregate⟫ [{"$match": {"phone": "⟦$phone:plain⟧"}}]'),
        ("db.mongodb.command", {"⟪find⟫": "users", "filter": {"email": "⟦$email⟧"}}),
        times=2,
    ),
    block(
        "mongo.system",
        "span.attributes",
        {
            "db.system.name": "mongodb",
            "db.query.text": '{"⟪update⟫":"u","updates":[{"q":{"nick":"⟦dark_knight⟧"}}]}',
        },
        {
            "db.system": "elasticsearch",
            "db.statement": '{"⟪query⟫":{"match":{"surname":"⟦Lovelace⟧"}}}',
        },
        {
            "db.system.name": "aws.dynamodb",
            "db.query.text": '{"⟪TableName⟫":"u","Key":{"email":{"S":"⟦$email⟧"}}}',
        },
        core=False,
    ),
    block(
        "message.body",
        "span.attribute",
        ("messaging.message.body", '{"name":"⟦Carol Shaw⟧","email":"⟦$email⟧"}'),
        ("http.request.body.content", '{"user":"x","password":"⟦$pw:simple⟧"}'),
        ("http.request.body", "email=⟦$email|url⟧&password=⟦$pw:simple⟧"),
        ("http.response.body.content", '{"card":"⟦$card:-plain⟧"}'),
        ("messaging.kafka.message.key", "⟦$email⟧"),
        times=2,
    ),
)

_GENAI = gather(
    block(
        "genai.content",
        "span.attribute",
        ("gen_ai.prompt", "⟦My son Tim has asthma, what helps?⟧"),
        ("gen_ai.completion", "⟦Tim could try an inhaler.⟧"),
        (
            "gen_ai.input.messages",
            '[{"role":"user","parts":[{"type":"text","content":"⟦I owe 4000 to Marco⟧"}]}]',
        ),
        (
            "gen_ai.output.messages",
            [{"role": "assistant", "parts": [{"content": "⟦Tell Marco you will pay⟧"}]}],
        ),
        ("gen_ai.system_instructions", "⟦You answer for the clinic of Dr. House⟧"),
        ("gen_ai.tool.call.arguments", '{"patient":"⟦Tim Berners⟧"}'),
        ("gen_ai.tool.call.result", "⟦Tim has an appointment at nine⟧"),
        ("gen_ai.prompt.0.content", "⟦Write a letter to my wife Anna⟧"),
        ("gen_ai.completion.0.content", "⟦Dear Anna, I am sorry⟧"),
    ),
    block(
        "genai.event",
        "event.attribute",
        ("gen_ai.prompt", "⟦Is my lump dangerous?⟧"),
        ("gen_ai.event.content", '{"content":"⟦Is my lump dangerous?⟧"}'),
    ),
    block(
        "genai.other_convention",
        "span.attribute",
        ("llm.prompts", "⟦My son Tim has asthma⟧"),
        ("input.value", "⟦My daughter Eva was fired⟧"),
        ("output.value", "⟦Eva could ask a lawyer⟧"),
        ("traceloop.entity.input", '{"q":"⟦Where does Eva live⟧"}'),
        ("llm.input_messages.0.message.content", "⟦I live near the old mill⟧"),
        core=False,
    ),
    block(
        "genai.text",
        "log.body",
        "⟪tool call send_mail⟫ {'to': '⟦$email⟧', 'subject': 'hi'}",
        "⟪Incorrect API key provided:⟫ ⟦$openai_project⟧",
        "⟪chat request⟫ messages=[{'role': 'user', 'content': 'mail me at ⟦$email⟧'}]",
        times=2,
    ),
)

CASES = gather(_SQL, _ERRORS, _STORES, _GENAI)
