"""List the attribute keys of the semantic conventions that may hold something personal or secret."""

from __future__ import annotations

from typing import Final

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
        "destination.address network.local.address net.host.ip net.sock.host.addr host.ip k8s.pod.ip"
        " hw.network.logical_addresses error.message enduser.scope log.record.original otel.status_description"
        " db.connection_string db.elasticsearch.path_parts graphql.document"
        " tls.client.certificate_chain tls.client.subject tls.client.issuer"
        " vcs.change.title vcs.ref.head.name vcs.owner.name profile.comment rpc.jsonrpc.error_message"
        " feature_flag.error.message feature_flag.evaluation.error.message file.path file.directory"
        " log.file.path log.file.path_resolved log.file.name process.executable.path"
        " process.working_directory cloudevents.event_subject aws.s3.key aws.s3.copy_source"
        " aws.s3.delete gen_ai.conversation.id messaging.message.conversation_id"
        " code.file.path code.filepath app.screen.coordinate.x app.screen.coordinate.y"
    ),
    "keep": (
        "db.user cloud.account.id file.owner.id process.user.id process.real_user.id"
        " process.saved_user.id azure.client.id messaging.client.id gen_ai.token.type"
        " gen_ai.usage.input_tokens gen_ai.usage.output_tokens gen_ai.usage.completion_tokens"
        " gen_ai.usage.prompt_tokens gen_ai.request.max_tokens error.type event.name"
        " user_agent.name user_agent.version user_agent.original http.user_agent mcp.session.id"
        " aws.secretsmanager.secret.arn process.session_leader.pid user.roles enduser.role"
        " gen_ai.usage.cache_creation.input_tokens gen_ai.usage.cache_read.input_tokens"
        " gen_ai.usage.reasoning.output_tokens server.address net.peer.name net.host.name http.host"
        " http.server_name tls.client.server_name peer.service host.name"
    ),
}
EXACT: Final[dict[str, tuple[str, str]]] = {
    key: (name.partition(" ")[0], name.partition(" ")[2])
    for name, keys in _BY_CLASS.items()
    for key in keys.split()
}

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

# The first words of the conventions' keys. A key under them is known: strict mode lets it pass.
NAMESPACES: Final = frozenset(
    (
        "app artifact aws az azure bear browser cassandra cicd client cloud cloudevents cloudfoundry"
        " code container cpu cpython db deployment destination device disk dns elasticsearch"
        " enduser error event exception faas feature_flag file gcp gen_ai geo graphql heroku host"
        " http hw jsonrpc jvm k8s linux log mainframe mcp message messaging net network nfs oci"
        " onc_rpc openai openshift opentracing oracle oracle_cloud os otel peer pool pprof process"
        " profile rpc security_rule server service session source state system telemetry test"
        " thread tls url user user_agent v8js vcs webengine zos nodejs dotnet aspnetcore kestrel"
        " signalr go peer"
    ).split()
)
