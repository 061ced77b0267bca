"""Makes a user of the S3 server with a policy, and prints its access key and secret.

Usage: make_user.py ENDPOINT KEY SECRET NAME POLICY
"""

import re
import sys
import urllib.parse

from make_buckets import send


def ask(account, action, **parameters):
    """Calls the IAM API and returns the answer's XML."""
    form = urllib.parse.urlencode({"Action": action, "Version": "2010-05-08", **parameters}).encode()
    kind = [("content-type", "application/x-www-form-urlencoded")]
    return send("POST", account, "/", body=form, extra=kind, service="iam").decode()


def element(document, name):
    return re.search(f"<{name}>(.*?)</{name}>", document).group(1)


def main():
    *account, name, policy = sys.argv[1:]
    ask(account, "CreateUser", UserName=name)
    key = ask(account, "CreateAccessKey", UserName=name)
    ask(account, "PutUserPolicy", UserName=name, PolicyName="only", PolicyDocument=policy)
    print(element(key, "AccessKeyId"), element(key, "SecretAccessKey"))


if __name__ == "__main__":
    main()
