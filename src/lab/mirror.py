"""The mirror: serves the files below /mnt, and plays what goes wrong with downloads where it is asked to.

    mirror.py FOLDER     FOLDER/faults is read at every request, one fault a line:

    cut BYTES NAME       ends the next answer about a path with NAME in it after so many bytes, once
    garble NAME          changes one byte in every answer about such a path

Answers ranges, as the real mirror does; FOLDER/mirror.log tells what was asked and answered.
By HTTPS, too: FOLDER/mirror.pem and FOLDER/mirror.key, of an authority that nobody knows (FOLDER/authority.pem).
"""
import http.server
import os
import re
import ssl
import sys
import threading

ROOT = "/mnt"
BLOCK = 256 << 10
TURN = threading.Lock()


class Mirror(http.server.BaseHTTPRequestHandler):
    """Answers one request a connection."""

    def do_GET(self):
        self.answer(True)

    def do_HEAD(self):
        self.answer(False)

    def answer(self, whole):
        path = os.path.normpath(ROOT + "/" + self.path.partition("?")[0])
        if not path.startswith(ROOT + "/") or not os.path.isfile(path):
            self.send_error(404)
            return
        size = os.path.getsize(path)
        begin, status = 0, 200
        if asked := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or ""):
            begin, status = int(asked[1]), 206
            if begin >= size:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{size}")
                self.end_headers()
                return
        self.send_response(status)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(size - begin))
        self.send_header("Accept-Ranges", "bytes")
        if status == 206:
            self.send_header("Content-Range", f"bytes {begin}-{size - 1}/{size}")
        self.end_headers()
        if whole:
            with open(path, "rb") as file:
                file.seek(begin)
                self.send(file, *faults(path))

    def send(self, file, most, garbled):
        sent = 0
        while data := file.read(BLOCK):
            if garbled and not sent:
                data = bytes([data[0] ^ 1]) + data[1:]
            data = data[:most - sent] if most is not None else data
            self.wfile.write(data)
            sent += len(data)
            if most is not None and sent >= most:
                self.close_connection = True
                return

    def log_request(self, code="-", size="-"):
        self.log_message('"%s" %s %s', self.requestline, code, self.headers.get("Range") or "whole")

    def log_message(self, format, *args):
        print(self.client_address[0], format % args, flush=True)


def faults(path):
    """Returns after how many bytes an answer ends, None for all of them, and whether it is garbled."""
    place = os.path.join(sys.argv[1], "faults")
    most, garbled, kept = None, False, []
    with TURN:
        if not os.path.exists(place):
            return most, garbled
        with open(place, encoding="utf-8") as file:
            lines = file.read().splitlines()
        for line in lines:
            words = line.split()
            if words[:1] == ["cut"] and most is None and words[2] in path:
                most = int(words[1])
                continue
            garbled = garbled or words[:1] == ["garble"] and words[1] in path
            kept.append(line + "\n")
        with open(place, "w", encoding="utf-8") as file:
            file.writelines(kept)
    return most, garbled


if __name__ == "__main__":
    secure = http.server.ThreadingHTTPServer(("", 443), Mirror)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{sys.argv[1]}/mirror.pem", f"{sys.argv[1]}/mirror.key")
    # Each connection's own thread shakes hands, or one that says nothing would keep all others waiting.
    secure.socket = context.wrap_socket(secure.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=secure.serve_forever, daemon=True).start()
    http.server.ThreadingHTTPServer(("", 80), Mirror).serve_forever()
