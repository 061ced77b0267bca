"""Objects of a bucket below a prefix, read and written without the program and its library."""

import base64
import hashlib
import urllib.error
import urllib.parse
import xml.etree.ElementTree
from xml.sax.saxutils import escape

from make_buckets import send

NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"


class Prefix:
    def __init__(self, account, bucket, prefix):
        self.account, self.bucket, self.prefix = account, bucket, prefix
        self.url = f"s3://{bucket}/{prefix}"

    def __truediv__(self, folder):
        return Prefix(self.account, self.bucket, f"{self.prefix}/{folder}")

    def send(self, method, name, body=b""):
        path = urllib.parse.quote(f"/{self.bucket}/{self.prefix}/{name}", safe="/~")
        return send(method, self.account, path, body=body)

    def names(self):
        """The names of all objects, without the prefix; at most 1,000."""
        query = [("list-type", "2"), ("prefix", f"{self.prefix}/")]
        listing = xml.etree.ElementTree.fromstring(send("GET", self.account, f"/{self.bucket}", query))
        assert listing.findtext(f"{NAMESPACE}IsTruncated") != "true", "too many objects for one listing"
        keys = [content.findtext(f"{NAMESPACE}Key") for content in listing.iter(f"{NAMESPACE}Contents")]
        return [key.removeprefix(f"{self.prefix}/") for key in keys]

    def objects(self):
        """The bytes of all objects by their names."""
        return {name: self.send("GET", name) for name in self.names()}

    def put(self, name, content):
        self.send("PUT", name, content)

    def download(self, folder):
        for name, content in self.objects().items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)

    def empty(self):
        names = self.names()
        if not names:
            return
        listed = "".join(f"<Object><Key>{escape(f'{self.prefix}/{name}')}</Key></Object>" for name in names)
        document = f"<Delete><Quiet>true</Quiet>{listed}</Delete>".encode()
        checksum = base64.b64encode(hashlib.md5(document).digest()).decode()
        send("POST", self.account, f"/{self.bucket}", [("delete", "")], document, [("content-md5", checksum)])
