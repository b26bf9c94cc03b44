"""A mail server for tests: puts each mail it takes into ./maildir/new, complete and in order of arrival.

Usage: smtp.py PORT plain|starttls|implicit   in a folder with certificate.pem and key.pem (for TLS) and perhaps `login`.
"""

import asyncio
import os
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

PORT, SECURITY = int(sys.argv[1]), sys.argv[2]


class Sink:
    """Takes mails; the local part of a recipient chooses another answer."""

    def __init__(self):
        for name in ("tmp", "new", "cur"):
            os.makedirs(f"maildir/{name}", exist_ok=True)
        self.count = len(os.listdir("maildir/new"))

    async def handle_RCPT(self, server, session, envelope, address, options):
        local = address.split("@")[0]
        if local == "refused":
            return "550 5.1.1 no such mailbox"
        if local == "later":
            return "451 4.3.0 try again later"
        if local == "hang":
            await asyncio.sleep(3600)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.count += 1
        name = f"{self.count:09}"
        head = f"X-Envelope-From: {envelope.mail_from}\r\nX-Envelope-To: {', '.join(envelope.rcpt_tos)}\r\n"
        with open(f"maildir/tmp/{name}", "wb") as file:
            file.write(head.encode() + envelope.content)
        os.rename(f"maildir/tmp/{name}", f"maildir/new/{name}")
        return "250 2.0.0 taken"


def login():
    if not os.path.exists("login"):
        return None
    name, password = open("login", "rb").read().split(b"\n")[:2]

    def check(server, session, envelope, mechanism, data):
        return AuthResult(success=(data.login, data.password) == (name, password))

    return check


def context():
    if SECURITY == "plain":
        return None
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain("certificate.pem", "key.pem")
    return made


async def main():
    sink, tls, check = Sink(), context(), login()
    inner = tls if SECURITY == "starttls" else None

    def protocol():
        # Over TLS from the first byte aiosmtpd does not see the protection, so it is told not to look for one.
        return SMTP(
            sink,
            hostname="localhost",
            enable_SMTPUTF8=True,
            tls_context=inner,
            require_starttls=inner is not None,
            authenticator=check,
            auth_required=check is not None,
            auth_require_tls=inner is not None,
        )

    outer = tls if SECURITY == "implicit" else None
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", PORT, ssl=outer)
    await server.serve_forever()


asyncio.run(main())
