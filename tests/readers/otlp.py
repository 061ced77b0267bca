"""Tells what requests of OTLP hold, as JSON: `otlp.py traces|metrics FOLDER`, with one request in each file."""

import json
import pathlib
import sys

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


def attributes(message):
    return {it.key: next(iter(MessageToDict(it.value).values()), None) for it in message}


def span(it, resource):
    return {
        "trace": it.trace_id.hex(),
        "id": it.span_id.hex(),
        "parent": it.parent_span_id.hex(),
        "name": it.name,
        "nanos": it.end_time_unix_nano - it.start_time_unix_nano,
        "status": it.status.code,
        "message": it.status.message,
        "attributes": attributes(it.attributes),
        "events": [{"name": event.name, **attributes(event.attributes)} for event in it.events],
        "resource": attributes(resource.attributes),
    }


def points(metric, resource):
    for point in metric.gauge.data_points:
        yield {
            "name": metric.name,
            "help": metric.description,
            "value": point.as_double,
            "attributes": attributes(point.attributes),
            "resource": attributes(resource.attributes),
        }


signal, folder = sys.argv[1:]
found = []
for path in sorted(pathlib.Path(folder).iterdir()):
    body = path.read_bytes()
    if signal == "traces":
        for part in ExportTraceServiceRequest.FromString(body).resource_spans:
            found += [span(it, part.resource) for scope in part.scope_spans for it in scope.spans]
    else:
        for part in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            metrics = [metric for scope in part.scope_metrics for metric in scope.metrics]
            found += [point for metric in metrics for point in points(metric, part.resource)]
json.dump(found, sys.stdout)
