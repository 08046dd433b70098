"""`standin-tls HOST PORT [SNI]`: completes a TLS handshake and prints the size of the chain."""
import socket
import ssl
import sys
import time


def chain(host, port, name, patience=5.0):
    """Returns the certificates a server sends, in DER, unverified."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((host, port), timeout=patience) as plain:
        with context.wrap_socket(plain, server_hostname=name) as sock:
            # Public from Python 3.13 on.
            holder = sock if hasattr(sock, "get_unverified_chain") else sock._sslobj
            certificates = holder.get_unverified_chain()
    return [c if isinstance(c, bytes) else ssl.PEM_cert_to_DER_cert(c.public_bytes()) for c in certificates]


def main(words):
    host, port = words[0], int(words[1])
    begin = time.monotonic()
    try:
        certificates = chain(host, port, words[2] if len(words) > 2 else host)
    except OSError as error:
        print(f"{host}:{port}: {error}")
        return 1
    took = (time.monotonic() - begin) * 1000
    print(f"certificates={len(certificates)} bytes={sum(map(len, certificates))} ms={took:.0f}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
