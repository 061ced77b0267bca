"""Prints the number of object versions, delete markers and unfinished uploads below a prefix of a bucket.

Usage: count_versions.py ENDPOINT KEY SECRET BUCKET PREFIX
"""

import sys

from make_buckets import send


def main():
    *account, bucket, prefix = sys.argv[1:]
    versions = send("GET", account, f"/{bucket}", [("versions", ""), ("prefix", prefix)])
    uploads = send("GET", account, f"/{bucket}", [("uploads", ""), ("prefix", prefix)])
    print(versions.count(b"<VersionId>") + uploads.count(b"<UploadId>"))


if __name__ == "__main__":
    main()
