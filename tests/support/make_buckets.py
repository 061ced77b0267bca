"""Makes the buckets of the tests, with nothing but the standard library.

Usage: make_buckets.py ENDPOINT KEY SECRET PLAIN LOCKED

PLAIN is an ordinary bucket. LOCKED has Object Lock with a default retention in compliance mode, so that nobody can change
or remove an object of it.
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


def put(endpoint, key, secret, path, query="", body=b"", extra=()):
    """Sends a PUT with the signature of AWS, version 4."""
    now = datetime.datetime.now(datetime.timezone.utc)
    stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    payload = hashlib.sha256(body).hexdigest()
    headers = {"host": urllib.parse.urlparse(endpoint).netloc, "x-amz-date": stamp, "x-amz-content-sha256": payload, **dict(extra)}
    names = ";".join(sorted(headers))
    listed = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    request = "\n".join(["PUT", path, f"{query}=" if query else "", listed, names, payload])
    scope = f"{day}/us-east-1/s3/aws4_request"
    to_sign = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(request.encode()).hexdigest()])
    signing_key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        signing_key = hmac.digest(signing_key, part.encode(), "sha256")
    signature = hmac.new(signing_key, to_sign.encode(), "sha256").hexdigest()
    headers["Authorization"] = f"AWS4-HMAC-SHA256 Credential={key}/{scope}, SignedHeaders={names}, Signature={signature}"
    url = endpoint + path + (f"?{query}=" if query else "")
    sent = urllib.request.Request(url, data=body, headers=headers, method="PUT")
    with urllib.request.urlopen(sent, timeout=30):
        pass


def main():
    endpoint, key, secret, plain, locked = sys.argv[1:]
    put(endpoint, key, secret, f"/{plain}")
    put(endpoint, key, secret, f"/{locked}", extra=[("x-amz-bucket-object-lock-enabled", "true")])
    checksum = base64.b64encode(hashlib.md5(RETENTION).digest()).decode()
    put(endpoint, key, secret, f"/{locked}", "object-lock", RETENTION, [("content-md5", checksum)])


if __name__ == "__main__":
    main()
