#!/usr/bin/env python3
"""Makes the artifacts that the peers are compared on: make_events.py FOLDER [FILE ...] [--rows N].

FILE is year.csv, year.jsonl, month.csv or month.jsonl, by default all four. They hold the same events, spread over 2025
or over its January, in time order, in 21 columns like those of the platform's own table: unique ids, skewed choices,
JSON with escapes, NULLs, costs with eight decimals. A number decides all of its event, so that every machine makes the
same bytes. Needs duckdb.
"""

import argparse
from pathlib import Path

import duckdb

DAYS = {"year": 365, "month": 31}
FILES = [f"{span}.{kind}" for span in DAYS for kind in ("csv", "jsonl")]

# Three independent numbers for each event; everything else follows from them and from its own number.
NUMBERS = """
    select i, (m % 268435456)::bigint h1, ((m >> 28) % 268435456)::bigint h2, ((m >> 56) % 268435456)::bigint h3,
        ['allow','allow','allow','allow','allow','allow','allow','block','redact','escalate'][1 + (((m >> 56) % 268435456) % 10)::int] decision
    from (select i, md5_number(i::varchar) m from range({rows}) numbers(i))
"""

EVENTS = """
select
    md5('event' || i)::uuid::varchar id,
    md5('org' || h1 % 20)::uuid::varchar org_id,
    strftime(make_timestamp(1735689600000000 + i * {step} + h2 % least(5000000, {step})), '%Y-%m-%dT%H:%M:%S.%fZ') created_at,
    ['chat.completion','chat.completion','chat.completion','embedding','tool.call','tool.call','policy.evaluated','config.reload'][1 + h1 % 8] event_type,
    decision,
    case when decision <> 'allow' then ['pii.email','pii.ssn','secret.api_key','prompt_injection','budget.exceeded','model.not_allowed','rate.limit','toxicity'][1 + h3 % 8] end reason_code,
    md5('gateway' || h2 % 200)::uuid::varchar gateway_id,
    case when h3 % 50 > 0 then format('user-{{:05d}}@corp{{}}.example', h3 % 8000, h1 % 20) end user_id,
    case when h1 % 10 > 0 then md5('team' || h1 % 300)::uuid::varchar end team_id,
    ['openai','anthropic','bedrock','azure-openai','vertex','mistral'][1 + h2 % 6] provider,
    ['gpt-4o','gpt-4o-mini','claude-sonnet-4','claude-haiku-4','amazon.nova-pro-v1','gpt-4.1','gemini-2.5-pro','gemini-2.5-flash','mistral-large-2','text-embedding-3-large','claude-opus-4','llama-3.3-70b'][1 + h2 % 12] model,
    'req_' || md5('request' || i)[:24] request_id,
    case when h3 % 3 > 0 then md5('trace' || i // 4) end trace_id,
    1 + i // 40000 config_version,
    case when h1 % 97 > 0 then 20 + h1 % 1700 + h3 % 37 end latency_ms,
    h2 % 16000 input_tokens,
    h3 % 4096 output_tokens,
    case when h2 % 101 > 0 then (((h2 % 16000) * 250 + (h3 % 4096) * 1000 + h1 % 9973)::decimal(18,0) / 100000000)::decimal(18,8) end cost_usd,
    '[' || array_to_string(list_transform(
        case h2 % 4
            when 0 then [policy('pol', h1 % 60, decision, null)]
            when 1 then [policy('pol', h1 % 60, 'pass', null), policy('pol', h3 % 60, decision, h3 % 1000)]
            when 2 then [policy('pol', h1 % 60, 'pass', null), policy('pol', h2 % 60, 'pass', null), policy('pol', h3 % 60, decision, null)]
            else [policy('pol', h1 % 60, 'pass', null), policy('pol', h2 % 60, 'pass', null), policy('pol', h3 % 60, 'pass', h3 % 1000), policy('dlp', h3 % 9, decision, null)]
        end, p -> p), ', ') || ']' policies_evaluated,
    format('{{{{"ip": "10.{{}}.{{}}.{{}}", "cached": {{}}, "client": "sdk-{{}}/1.{{}}", "region": "{{}}", "session": "{{}}", "temperature": {{}}',
        h1 % 256, h2 % 256, h3 % 256, (h3 % 5 = 0)::varchar, ['py','ts','go'][1 + h2 % 3], h3 % 20,
        ['us-east-1','eu-west-1','eu-central-1','ap-southeast-2'][1 + h1 % 4], md5('session' || i // 9)[:16], ((h1 % 20)::decimal(3,0) / 10)::decimal(3,1)::varchar)
        || case when h2 % 3 = 0 then format(', "app": "app-{{}}", "tags": ["t{{}}", "t{{}}"], "cost_center": "cc-{{}}"', h1 % 40, h1 % 9, h3 % 9, h2 % 90) else '' end
        || case when h2 % 997 = 0 then ', "big": 12345678901234567890.123456789012, "nul": null, "note": "café \\"quoted\\", comma\\nline \\\\ tab\\t漢"' else '' end
        || '}}' metadata,
    case when decision = 'redact' then '["email", "phone", "ssn"]' when h3 % 40 = 0 then '["a \\"q\\"", "b,c", null]' when h3 % 7 = 0 then '[]' end redactions
from numbers
"""

POLICY = """
create macro policy(family, number, result, score) as
    '{"id": "' || family || '-' || number || '", '
    || case when score is null then '' else '"score": ' || (score::decimal(4,0) / 1000)::decimal(4,3)::varchar || ', ' end
    || '"result": "' || result || '"}'
"""

TEXTS = "id org_id created_at event_type decision reason_code gateway_id user_id team_id provider model request_id trace_id".split()
DOCUMENTS = "config_version latency_ms input_tokens output_tokens cost_usd policies_evaluated metadata redactions".split()


def json_line():
    """A row as a line of NDJSON, with its documents as they are: a JSON writer would print their numbers anew."""
    texts = [f"""'"{name}":' || coalesce('"' || {name} || '"', 'null')""" for name in TEXTS]
    documents = [f"""'"{name}":' || coalesce({name}::varchar, 'null')""" for name in DOCUMENTS]
    return "'{' || " + " || ',' || ".join(texts + documents) + " || '}'"


def make(path, rows):
    connection = duckdb.connect()
    connection.execute(POLICY)
    connection.execute("create view numbers as " + NUMBERS.format(rows=rows))
    connection.execute("create view events as " + EVENTS.format(step=DAYS[path.stem] * 24 * 3600 * 1_000_000 // rows))
    if path.suffix == ".csv":
        connection.execute(f"copy events to '{path}' (format csv, header)")
    else:
        lines = f"select {json_line()} from events"
        connection.execute(f"copy ({lines}) to '{path}' (format csv, header false, quote '', escape '', delimiter '\x01')")
    print(f"{path}: {rows:,} rows, {path.stat().st_size / 1e6:,.0f} MB")


def main():
    parser = argparse.ArgumentParser(description="artifacts for comparisons")
    parser.add_argument("folder", type=Path)
    parser.add_argument("files", nargs="*", metavar="FILE", help=", ".join(FILES))
    parser.add_argument("--rows", type=int, default=1_000_000)
    options = parser.parse_args()
    for file in options.files or FILES:
        if file not in FILES:
            parser.error(f"there is no {file}, but {', '.join(FILES)}")
    options.folder.mkdir(parents=True, exist_ok=True)
    for file in options.files or FILES:
        make(options.folder / file, options.rows)


if __name__ == "__main__":
    main()
