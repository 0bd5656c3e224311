"""List the semantic conventions' attribute keys, by what their values may hold."""

from __future__ import annotations

from typing import Final

from bear_otel.privacy.source import word_set


def _by_key(by_class: dict[str, str]) -> dict[str, tuple[str, str]]:
    """Return class and kind of each key."""
    return {
        key: (name.partition(" ")[0], name.partition(" ")[2])
        for name, keys in by_class.items()
        for key in keys.split()
    }


# class, or class and kind, then the keys. `keep` holds keys whose words would mislead the word
# rules; every other key of a known namespace is kept without being listed.
_BY_CLASS: Final[dict[str, str]] = {
    "personal email": "user.email",
    "personal name": "user.full_name",
    "personal user": (
        "user.id user.name user.hash enduser.id enduser.pseudo.id process.owner"
        " process.user.name process.real_user.name process.saved_user.name file.owner.name"
        " feature_flag.context.id"
    ),
    "personal session": "session.id session.previous_id",
    "personal device": "device.id app.installation.id network.carrier.icc",
    "personal mac": "host.mac hw.network.physical_address",
    "personal address": "geo.postal_code",
    "personal row": (
        "messaging.kafka.message.key messaging.rocketmq.message.keys feature_flag.result.value"
        " messaging.gcp_pubsub.message.ordering_key"
    ),
    "geo": "geo.location.lat geo.location.lon",
    "ip": (
        "client.address source.address network.peer.address http.client_ip net.peer.ip"
        " net.sock.peer.addr"
    ),
    "url": (
        "url.full url.original http.url browser.document.url.full aws.sqs.queue.url"
        " cicd.pipeline.run.url.full cicd.pipeline.task.run.url.full cicd.worker.url.full"
        " vcs.repository.url.full mcp.resource.uri url.path http.target url.template"
    ),
    "query": "url.query",
    "fragment": "url.fragment",
    "sql": "db.query.text db.statement",
    "command": (
        "process.command_args process.command_line process.command process.title"
        " container.command container.command_args container.command_line"
    ),
    "trace": "exception.stacktrace exception.message code.stacktrace",
    "secret token": "messaging.gcp_pubsub.message.ack_id tls.client.certificate",
    "content": (
        "gen_ai.input.messages gen_ai.output.messages gen_ai.system_instructions gen_ai.prompt"
        " gen_ai.completion gen_ai.tool.call.arguments gen_ai.tool.call.result"
        " gen_ai.tool.definitions gen_ai.retrieval.documents gen_ai.retrieval.query.text"
        " gen_ai.evaluation.explanation"
    ),
    "scan": (
        "destination.address network.local.address net.host.ip net.sock.host.addr host."
        "ip k8s.pod.ip"
        " hw.network.logical_addresses error.message enduser.scope log.record.original "
        "otel.status_description"
        " db.connection_string db.elasticsearch.path_parts graphql.document"
        " tls.client.certificate_chain tls.client.subject tls.client.issuer"
        " vcs.change.title vcs.ref.head.name vcs.owner.name pprof.profile.comment rpc.jsonrpc"
        ".error_message"
        " feature_flag.error.message feature_flag.evaluation.error.message file.path file.directory"
        " log.file.path log.file.path_resolved log.file.name process.executable.path"
        " process.working_directory cloudevents.event_subject aws.s3.key aws.s3.copy_source"
        " aws.s3.delete gen_ai.conversation.id messaging.message.conversation_id"
        " code.file.path code.filepath app.screen.coordinate.x app.screen.coordinate.y"
    ),
}
EXACT: Final = _by_key(_BY_CLASS)

# Keys with a free last part: what stands behind the prefix decides, as a header or a column does.
PREFIXES: Final[dict[str, tuple[str, str]]] = {
    "http.request.header.": ("header", ""),
    "http.response.header.": ("header", ""),
    "rpc.request.metadata.": ("header", ""),
    "rpc.response.metadata.": ("header", ""),
    "rpc.grpc.request.metadata.": ("header", ""),
    "rpc.grpc.response.metadata.": ("header", ""),
    "rpc.connect_rpc.request.metadata.": ("header", ""),
    "rpc.connect_rpc.response.metadata.": ("header", ""),
    "db.query.parameter.": ("personal", "row"),
    "db.operation.parameter.": ("personal", "row"),
    "db.sql.parameter.": ("personal", "row"),
    "process.environment_variable.": ("environment", ""),
}

# Headers that no word of theirs gives away, without the prefix.
_HEADERS_BY_CLASS: Final[dict[str, str]] = {
    "secret token": (
        "dpop x-honeycomb-team x-firebase-appcheck x-ms-client-principal x-amzn-oidc-data"
        " client-cert client-cert-chain x-client-cert x-ssl-client-cert x-arr-clientcert"
        " x-forwarded-client-cert x-forwarded-tls-client-cert"
    ),
    "likely token": "sec-websocket-protocol",
    "personal email": "from",
    "personal user": (
        "x-ms-client-principal-name x-ms-client-principal-id x-amzn-oidc-identity"
        " x-ssl-client-s-dn x-ssl-client-subject-dn x-forwarded-tls-client-cert-info"
    ),
}
HEADERS: Final = _by_key(_HEADERS_BY_CLASS)

# Keys, or the beginnings of keys (with a dot at the end), whose values come from the platform or
# from a short list of words: only unmistakable formats are looked for.
_KEPT: Final = """
    http.request.method http.response.status_code http.route http.method http.status_code
    http.scheme http.flavor http.request.method_original http.request.body.size
    http.response.body.size http.request.size http.response.size http.request.resend_count
    http.connection.state http.server_name http.host http.user_agent url.scheme url.domain
    url.extension url.port url.subdomain url.top_level_domain url.registered_domain
    network.protocol. network.transport network.type network.io. network.peer.port
    network.local.port network.connection. network.interface. network.carrier.name
    network.carrier.mcc network.carrier.mnc net.transport net.peer.port net.host.port
    net.peer.name net.host.name net.protocol. net.sock.family net.sock.peer.name server.
    client.port source.port destination.port peer.service db.system db.system.name db.operation
    db.operation.name db.operation.batch.size db.collection.name db.namespace db.name db.sql.table
    db.query.summary db.response. db.client. db.instance.id db.stored_procedure.name db.cassandra.
    db.cosmosdb. db.redis.database_index db.mongodb.collection db.mssql.instance_name db.jdbc.
    db.user db.elasticsearch.cluster.name db.elasticsearch.node.name rpc.system rpc.system.name
    rpc.service rpc.method rpc.grpc.status_code rpc.response.status_code rpc.message.
    rpc.connect_rpc.error_code rpc.jsonrpc.version rpc.jsonrpc.error_code messaging.system
    messaging.operation messaging.operation. messaging.destination. messaging.destination_publish.
    messaging.batch. messaging.consumer. messaging.kafka.offset messaging.kafka.message.offset
    messaging.kafka.message.tombstone messaging.kafka.destination. messaging.kafka.consumer.
    messaging.kafka.cluster. messaging.message.body. messaging.message.id
    messaging.message.envelope. messaging.client.id messaging.eventhubs. messaging.rabbitmq.
    messaging.servicebus. service. telemetry. deployment. otel.scope. otel.library.
    otel.status_code otel.component. otel.span. otel.event. k8s. container.id container.name
    container.image. container.runtime container.runtime. container.cpu. container.csi. cloud. os.
    oci. openshift. heroku. cloudfoundry. cloudevents. faas. gcp. azure. aws. az. cpu. cpython.
    system. jvm. v8js. nodejs. dotnet. aspnetcore. kestrel. signalr. go. hw. disk. zos. linux.
    mainframe. nfs. oracle. oracle_cloud. pprof. webengine. thread. cicd. test. artifact.
    security_rule. vcs.repository. vcs.ref. vcs.change. vcs.provider. vcs.revision_delta.
    vcs.line_change. host.name host.id host.type host.arch host.image. host.cpu. process.pid
    process.parent_pid process.vpid process.runtime. process.executable.name
    process.executable.build_id. process.context_switch. process.cpu. process.paging.
    process.state process.creation. process.exit. process.interactive process.args_count
    process.group_leader. process.session_leader. process.linux. process.user.id
    process.real_user.id process.saved_user.id code.function code.function.name code.namespace
    code.line. code.lineno code.column code.column.number error.type event.name exception.type
    exception.escaped log.iostream log.record.uid user_agent. user.roles enduser.role
    file.owner.id file.group. file.size file.extension file.mode gen_ai.operation.name
    gen_ai.system gen_ai.provider.name gen_ai.request. gen_ai.response. gen_ai.usage.
    gen_ai.token. gen_ai.output.type gen_ai.agent.id gen_ai.agent.name gen_ai.agent.version
    gen_ai.tool.name gen_ai.tool.type gen_ai.tool.call.id gen_ai.embeddings. gen_ai.data_source.
    gen_ai.openai. gen_ai.workflow. gen_ai.prompt.name gen_ai.evaluation.name
    gen_ai.evaluation.score.value gen_ai.evaluation.score.label openai. mcp.method. mcp.protocol.
    mcp.session.id feature_flag.key feature_flag.provider. feature_flag.variant
    feature_flag.result.variant feature_flag.result.reason feature_flag.set. feature_flag.version
    graphql.operation. browser.brands browser.mobile browser.platform browser.language
    browser.web_vital. dns. tls. jsonrpc. geo.continent. geo.country. geo.region. geo.locality.
    cassandra. elasticsearch. state pool. peer. profile.frame. message. opentracing. bear.
"""
KEPT: Final = frozenset(_KEPT.split())

# The first words of the conventions' keys. A key under them is known: strict mode lets it pass.
NAMESPACES: Final = frozenset(
    [
        *(key.partition(".")[0] for key in (*KEPT, *EXACT)),
        *("client", "source", "destination", "session", "device", "app", "onc_rpc"),
    ]
)

# What people and models say to each other: the conventions' keys, and those of the libraries that
# had their own first.
CONTENT_ROOTS: Final = word_set("""
    gen_ai llm ai openai anthropic langchain langsmith langgraph traceloop langfuse openinference
    crewai haystack llamaindex pydantic_ai input output message tool retrieval reranker embedding
    document mcp agent completion prompt lk vertexai bedrock
    """)
CONTENT_ENDS: Final = word_set("""
    prompt prompts completion completions content contents messages input output inputs outputs
    input_messages output_messages system_instructions instructions arguments args result results
    documents text query response reasoning variables parameters thinking transcript answer question
    value user_message assistant_message final_result tool_arguments tool_response object json
    all_messages all_messages_events page_content embedding_text refusal system
    """)
