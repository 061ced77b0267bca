"""Makes the buckets of the tests, with the standard library only.

Usage: make_buckets.py ENDPOINT KEY SECRET PLAIN LOCKED VERSIONED

PLAIN is an ordinary bucket. LOCKED has Object Lock with a default retention in compliance mode. VERSIONED keeps old
versions.
"""

import base64
import datetime
import hashlib
import hmac
import sys
import urllib.parse
import urllib.request

RETENTION = b"""<ObjectLockConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
<ObjectLockEnabled>Enabled</ObjectLockEnabled>
<Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Days>1</Days></DefaultRetention></Rule>
</ObjectLockConfiguration>"""


VERSIONING = b"""<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
<Status>Enabled</Status></VersioningConfiguration>"""


def send(method, account, path, query=(), body=b"", extra=(), service="s3"):
    """Sends a request with the signature of AWS, version 4, and returns the answer's body."""
    endpoint, key, secret = account
    query = urllib.parse.urlencode(sorted(query), quote_via=urllib.parse.quote, safe="")
    now = datetime.datetime.now(datetime.timezone.utc)
    stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    payload = hashlib.sha256(body).hexdigest()
    headers = {"host": urllib.parse.urlparse(endpoint).netloc, "x-amz-date": stamp, "x-amz-content-sha256": payload, **dict(extra)}
    names = ";".join(sorted(headers))
    listed = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    request = "\n".join([method, path, query, listed, names, payload])
    scope = f"{day}/us-east-1/{service}/aws4_request"
    to_sign = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(request.encode()).hexdigest()])
    signing_key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        signing_key = hmac.digest(signing_key, part.encode(), "sha256")
    signature = hmac.new(signing_key, to_sign.encode(), "sha256").hexdigest()
    headers["Authorization"] = f"AWS4-HMAC-SHA256 Credential={key}/{scope}, SignedHeaders={names}, Signature={signature}"
    url = endpoint + path + (f"?{query}" if query else "")
    sent = urllib.request.Request(url, data=body, headers=headers, method=method)
    with urllib.request.urlopen(sent, timeout=30) as answer:
        return answer.read()


def configure(account, bucket, what, document):
    checksum = base64.b64encode(hashlib.md5(document).digest()).decode()
    send("PUT", account, f"/{bucket}", [(what, "")], document, [("content-md5", checksum)])


def main():
    *account, plain, locked, versioned = sys.argv[1:]
    send("PUT", account, f"/{plain}")
    send("PUT", account, f"/{locked}", extra=[("x-amz-bucket-object-lock-enabled", "true")])
    configure(account, locked, "object-lock", RETENTION)
    send("PUT", account, f"/{versioned}")
    configure(account, versioned, "versioning", VERSIONING)


if __name__ == "__main__":
    main()
