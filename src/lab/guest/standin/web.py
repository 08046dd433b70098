"""HTTP/1.1 on bare sockets: http.server and urllib take seconds to import on an emulated CPU."""
import json
import os
import socket
import ssl
import threading
import time


class Request:
    """One request; `user` is the common name of a verified client certificate, empty without one."""

    def __init__(self, method, target, headers, body, user):
        self.method, self.headers, self.body, self.user = method, headers, body, user
        self.path, _, query = target.partition("?")
        pairs = (part.partition("=") for part in query.split("&") if part)
        self.query = {key: value for key, _, value in pairs}


class Response:
    """One response; a dict or list becomes JSON."""

    def __init__(self, status=200, body=b"", headers=None):
        self.status, self.headers = status, dict(headers or {})
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            self.headers.setdefault("Content-Type", "application/json")
        self.headers.setdefault("Content-Type", "text/plain; charset=utf-8")
        self.body = body.encode() if isinstance(body, str) else body
        self.hold = 0.0


def serve(port, handle, tls=None):
    """Answers on a port of every address, each connection in a thread of its own."""
    listener = socket.create_server(("0.0.0.0", port), backlog=64)
    threading.Thread(target=accept, args=(listener, handle, tls), daemon=True).start()


def accept(listener, handle, tls):
    while True:
        try:
            plain, _ = listener.accept()
        except OSError:
            continue
        threading.Thread(target=converse, args=(plain, handle, tls), daemon=True).start()


def converse(plain, handle, tls):
    try:
        with plain:
            plain.settimeout(20)
            sock = tls.wrap_socket(plain, server_side=True) if tls else plain
            with sock:
                user = common_name(sock) if tls else ""
                stream = sock.makefile("rb")
                while one(sock, stream, handle, user):
                    sock.settimeout(120)
    except (OSError, ValueError):
        # A health check that hangs up, a client that goes away.
        pass


def one(sock, stream, handle, user):
    words = stream.readline(8192).decode("latin-1").split()
    if len(words) != 3:
        return False
    headers = {}
    while (line := stream.readline(8192)) not in (b"\r\n", b"\n", b""):
        key, _, value = line.decode("latin-1").partition(":")
        headers[key.strip().lower()] = value.strip()
    body = stream.read(int(headers.get("content-length") or 0))
    response = handle(Request(words[0], words[1], headers, body, user))
    keep = headers.get("connection", "").lower() != "close" and words[2] == "HTTP/1.1" and not response.hold
    head = [f"HTTP/1.1 {response.status} {REASONS.get(response.status, 'Status')}"]
    head += [f"{key}: {value}" for key, value in response.headers.items()]
    head += [f"X-Standin-Node: {os.uname().nodename}"]
    if not response.hold:
        head += [f"Content-Length: {len(response.body)}"]
    head += [f"Connection: {'keep-alive' if keep else 'close'}"]
    sock.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + (b"" if words[0] == "HEAD" else response.body))
    if response.hold:
        # A watch: nothing happens, and nobody hangs up.
        sock.settimeout(response.hold)
        stream.read(1)
    return keep


def common_name(sock):
    subject = (sock.getpeercert() or {}).get("subject") or ()
    return next((value for rdn in subject for key, value in rdn if key == "commonName"), "")


def fetch(host, port, path, body=None, tls=None, name=None, patience=5.0, method=None, headers=None):
    """Sends one request; returns (status, headers, body)."""
    with socket.create_connection((host, port), timeout=patience) as plain:
        sock = tls.wrap_socket(plain, server_hostname=name or host) if tls else plain
        with sock:
            data = b"" if body is None else json.dumps(body).encode()
            method = method or ("GET" if body is None else "POST")
            more = "".join(f"{key}: {value}\r\n" for key, value in (headers or {}).items())
            head = (f"{method} {path} HTTP/1.1\r\nHost: {name or host}:{port}\r\nConnection: close\r\n{more}"
                    f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n")
            sock.sendall(head.encode() + data)
            stream = sock.makefile("rb")
            words = stream.readline(8192).split()
            headers = {}
            while (line := stream.readline(8192)) not in (b"\r\n", b"\n", b""):
                key, _, value = line.decode("latin-1").partition(":")
                headers[key.strip().lower()] = value.strip()
            length = headers.get("content-length")
            body = stream.read(int(length)) if length is not None else stream.read()
            if len(words) < 2 or (length is not None and len(body) < int(length)):
                raise OSError("the answer ends early")
            return int(words[1]), headers, body


def insist(what, say, good, *request, **options):
    """Sends one request until its status is a good one, and says now and then what keeps it; returns (headers, body)."""
    said = 0.0
    while True:
        try:
            status, headers, body = fetch(*request, **options)
            if status in good:
                return headers, json.loads(body)
            error = f"status {status}: {body[:200]}"
        except (OSError, ValueError) as caught:
            error = caught
        if time.monotonic() - said > 15:
            said = time.monotonic()
            say(f"{what}: {error}")
        time.sleep(1)


def server_tls(pair, client_ca=None):
    """Returns a server's TLS settings; with a CA, clients may show a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(kept(pair["chain"]), kept(pair["key"]))
    if client_ca:
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(cadata=client_ca)
    return context


def client_tls(ca):
    """Returns a client's TLS settings that trust one CA."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=ca)
    return context


def kept(pem):
    # The ssl module reads certificates and keys only from files.
    path = f"/run/{abs(hash(pem)):x}.pem"
    with open(path, "w") as file:
        file.write(pem)
    return path


REASONS = {200: "OK", 201: "Created", 202: "Accepted", 400: "Bad Request", 401: "Unauthorized",
           403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 422: "Unprocessable Entity",
           500: "Internal Server Error",
           503: "Service Unavailable"}
